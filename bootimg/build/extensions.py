"""The extensions container beside the images: copied, and recorded as coreos-assembler has it."""

from __future__ import annotations

import time

from bootimg.arch import Arch
from bootimg.build.artifacts import existing
from bootimg.build.request import Artifact
from bootimg.build.selection import EXTENSIONS
from bootimg.build.work import Work
from bootimg.builds.find import digest_of
from bootimg.builds.layout import artifact_name
from bootimg.builds.meta import image_entry
from bootimg.formats.written import Written
from bootimg.layer.copy import copy_archive
from bootimg.streams.section import substitute

STEP = "extensions"


def extensions_name(osname: str, build_id: str, arch: Arch) -> str:
    """The file name of `images.extensions-container`."""
    return artifact_name(osname, build_id, EXTENSIONS, arch, "ociarchive")


def archive_extensions(work: Work, reference: str) -> Artifact:
    """Copy the image that `reference` names into the build; one that the build has already stays."""
    build, request = work.build, work.request
    if not request.force and build.has(EXTENSIONS):
        return existing(build, EXTENSIONS)
    started = time.monotonic()
    name = extensions_name(work.layer.facts.osname, build.id, build.arch)
    source, temporary = substitute(reference, VERSION=build.id), build.scratch / name
    with work.events.step(STEP, name) as step:
        image = copy_archive(source, build.arch, temporary, work.cache, request.registry)
        step.result(image.digest)
    sha256 = digest_of(temporary)
    path = build.publish(temporary, name)
    written = Written(path, path.stat().st_size, sha256)
    build.replace_image(EXTENSIONS, image_entry(written, skip_compression=True))
    return Artifact(
        key=EXTENSIONS,
        path=path,
        size=written.size,
        sha256=sha256,
        seconds=time.monotonic() - started,
        cached=False,
    )
