"""The layer's archive: puts the image itself, with its digest and its manifest, beside the disk images."""

from __future__ import annotations

import time
from dataclasses import replace

from bootimg.atomic import write_own
from bootimg.builds.layout import oci_manifest_name, ociarchive_name
from bootimg.builds.meta import image_entry
from bootimg.formats.output import Written
from bootimg.jobs import Stop
from bootimg.layer.fetching.archive import write_ociarchive
from bootimg.orchestrator.request import Artifact
from bootimg.orchestrator.step import Need
from bootimg.orchestrator.survey import Survey
from bootimg.orchestrator.targets.target import Target
from bootimg.orchestrator.work import Work
from bootimg.targets import ARCHIVE, LAYER_KEY, MANIFEST_KEY


class Archive(Target):
    """Writes the archive and the manifest of the layer."""

    declared = ARCHIVE
    title = "put the layer itself into the build"

    def need(self, survey: Survey) -> Need:
        """The size of the layer's blobs."""
        return Need(builds=0 if survey.has(ARCHIVE) else survey.image.size)

    def make(self, work: Work, stop: Stop) -> tuple[Artifact, ...]:
        """Write both files."""
        started = time.monotonic()
        archive, manifest = _write_archive(work), _write_manifest(work)
        entries = {LAYER_KEY: archive, MANIFEST_KEY: manifest}
        images = {key: image_entry(each, skip_compression=True) for key, each in entries.items()}
        work.build.meta.merge({"images": images})
        return (Artifact.of(LAYER_KEY, archive, started),)


def _write_archive(work: Work) -> Written:
    layer, build = work.layer, work.build
    name = ociarchive_name(layer.facts.osname, build.id, build.arch)
    with work.events.step("archive", "archiving the layer", total=layer.image.size):
        temporary = build.scratch / name
        sha256, size = write_ociarchive(layer.image, work.cache, temporary)
        return Written(build.publish(temporary, name), size, sha256)


def _write_manifest(work: Work) -> Written:
    layer, build = work.layer, work.build
    name = oci_manifest_name(layer.facts.osname, build.id, build.arch)
    temporary = build.scratch / name
    write_own(temporary, layer.image.manifest)
    output = Written(temporary, len(layer.image.manifest), layer.image.digest.removeprefix("sha256:"))
    return replace(output, path=build.publish(temporary, name))
