"""The SBOM beside the images: an SPDX document of the layer and the packages in it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence

from bootimg.atomic import write_own
from bootimg.builds.companions import Companion, companion, record_companion
from bootimg.builds.layout import sbom_name
from bootimg.formats import Written
from bootimg.jobs import Stop
from bootimg.orchestrator.request import Artifact
from bootimg.orchestrator.step import Why, needless
from bootimg.orchestrator.survey import Survey
from bootimg.orchestrator.targets.target import Target
from bootimg.orchestrator.work import Work
from bootimg.rpmdb.package import Package
from bootimg.rpmdb.spdx import dump_sbom, sbom
from bootimg.targets import SBOM, SBOM_KEY


class LayerSbom(Target):
    """Writes the document; bootimg.json names it, because meta.json has no field for it."""

    declared = SBOM
    title = "describe the layer's packages"

    def why(self, survey: Survey) -> Why:
        """Why: the document is missing, or differs from its record."""
        recorded = companion(survey.build.path, SBOM_KEY)
        whole = recorded is not None and recorded.is_whole(survey.build.path)
        if whole and not survey.request.force:
            return needless("made already")
        if survey.opened is not None and survey.opened.system.packages is None:
            return needless("the layer has no package database that can be read")
        if recorded is None:
            return Why("not made yet")
        return Why("--force" if whole else "its file is missing or another")

    def existing(self, work: Work) -> tuple[Artifact, ...] | None:
        """The document that the build has; a file that differs from the record does not count."""
        kept = None if work.request.force else companion(work.build.path, SBOM_KEY)
        if kept is None or not kept.is_whole(work.build.path):
            return None
        path = work.build.file(kept.path)
        return (
            Artifact(key=SBOM_KEY, path=path, size=kept.size, sha256=kept.sha256, seconds=0, cached=True),
        )

    def make(self, work: Work, stop: Stop) -> tuple[Artifact, ...]:
        """Describe the layer's packages; without a readable database there is only a warning."""
        started, packages = time.monotonic(), work.system.packages
        if packages is None:
            error = work.system.unreadable
            why = error.message if error else "the layer has no package database"
            work.events.message(f"no SBOM is written: {why}", "warning")
            return ()
        with work.events.step(self.name, "describing the packages") as step:
            output = _write(work, packages)
            step.result(f"{len(packages)} packages")
        return (Artifact.of(SBOM_KEY, output, started),)


def _write(work: Work, packages: Sequence[Package]) -> Written:
    layer, build = work.layer, work.build
    # Builders of the same image may have fetched it from different places.
    document = sbom(layer.image, packages, layer.facts.os_release.get("ID", ""), located=False)
    data = dump_sbom(document)
    name = sbom_name(layer.facts.osname, build.id, build.arch)
    temporary = build.scratch / name
    write_own(temporary, data)
    path = build.publish(temporary, name)
    made = Companion(name, hashlib.sha256(data).hexdigest(), len(data))
    record_companion(build.path, SBOM_KEY, made)
    return Written(path, made.size, made.sha256)
