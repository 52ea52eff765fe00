"""Takes a platform's image from osbuild's export: checks it, wraps it, hashes it, puts it in the build."""

from __future__ import annotations

import time

from bootimg.builds.find import digest_of
from bootimg.builds.layout import artifact_name
from bootimg.formats.output import Written
from bootimg.formats.packagers import packager_of
from bootimg.orchestrator.artifacts.packaging import wrap_exported
from bootimg.orchestrator.artifacts.platformimage import publish_image
from bootimg.orchestrator.request import Artifact
from bootimg.orchestrator.work import Work
from bootimg.osbuild.exports import check_disk, disk_size, exported_file
from bootimg.platform import Platform

EXPORTS = "osbuild"
"""The folder in the build's scratch space that has osbuild's exports."""


def collect_image(work: Work, platform: Platform) -> Artifact:
    """Check the export of a platform, wrap and hash it, and give it its name in the build."""
    started, build, document = time.monotonic(), work.build, work.results.manifest
    name = artifact_name(work.layer.facts.osname, build.id, platform.name, build.arch, platform.suffix)
    packager = packager_of(platform)
    found = exported_file(build.scratch / EXPORTS, platform.name, packager.exported_name(platform, name))
    if packager.is_disk or found.name != name:
        check_disk(found, platform.name, platform.disk_format, disk_size(document, platform.name))
    found = wrap_exported(work.layer, platform, found, build.scratch / name)
    size = found.stat().st_size
    with work.events.step(platform.name, name, total=size) as step:
        sha256 = digest_of(found)
        step.advance(size)
        output = publish_image(build, platform, Written(found, size, sha256), name)
    return Artifact.of(platform.image_key, output, started)
