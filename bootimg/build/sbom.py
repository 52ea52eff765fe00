"""The SBOM beside the images: an SPDX document of the layer and the packages in it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence

from bootimg.build.request import Artifact
from bootimg.build.work import Work
from bootimg.builds.layout import sbom_name
from bootimg.builds.sbom import Sbom, read_sbom, record_sbom
from bootimg.rpmdb.package import Package
from bootimg.rpmdb.sbom import dump_sbom, sbom
from bootimg.targets import SBOM_KEY


def write_sbom(work: Work) -> Artifact | None:
    """Describe the layer's packages beside its images; a document that the build has already stays.

    None, and a warning, where the layer has no package database that can be read.
    """
    started, build = time.monotonic(), work.build
    kept = None if work.request.force else read_sbom(build.path)
    if kept and kept.is_whole(build.path):
        return _artifact(work, kept, cached=True)
    if work.system.packages is None:
        error = work.system.unreadable
        why = error.message if error else "the layer has no package database"
        work.events.message(f"no SBOM is written: {why}", "warning")
        return None
    with work.events.step(SBOM_KEY, "describing the packages") as step:
        made = _write(work, work.system.packages)
        step.result(f"{len(work.system.packages)} packages")
    return _artifact(work, made, seconds=time.monotonic() - started)


def _write(work: Work, packages: Sequence[Package]) -> Sbom:
    layer, build = work.layer, work.build
    # Where the image came from is not the same for all who build from it.
    document = sbom(layer.image, packages, layer.facts.os_release.get("ID", ""), located=False)
    data = dump_sbom(document)
    name = sbom_name(layer.facts.osname, build.id, build.arch)
    temporary = build.scratch / name
    temporary.write_bytes(data)
    build.publish(temporary, name)
    made = Sbom(name, hashlib.sha256(data).hexdigest(), len(data))
    record_sbom(build.path, made)
    return made


def _artifact(work: Work, made: Sbom, *, seconds: float = 0, cached: bool = False) -> Artifact:
    path = work.build.file(made.path)
    return Artifact(
        key=SBOM_KEY, path=path, size=made.size, sha256=made.sha256, seconds=seconds, cached=cached
    )
