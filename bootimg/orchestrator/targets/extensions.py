"""The extensions container beside the images: copies it, and records it as coreos-assembler does."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from bootimg.builds.find import digest_of
from bootimg.builds.meta import image_entry
from bootimg.cache import Cache
from bootimg.formats.output import Written
from bootimg.jobs import Stop
from bootimg.layer.declared.facts import version_of
from bootimg.layer.fetching.imagecopy import copy_archive
from bootimg.layer.fetching.skopeo import check_version
from bootimg.layer.image.fetched import Image
from bootimg.layer.image.reference import parse_reference
from bootimg.orchestrator.request import Artifact, Request
from bootimg.orchestrator.survey import Survey
from bootimg.orchestrator.targets.target import Target
from bootimg.orchestrator.work import Work
from bootimg.streams.pipeline.section import substitute
from bootimg.targets import EXTENSIONS, EXTENSIONS_KEY


@dataclass(frozen=True, slots=True)
class Extensions(Target):
    """Copies the image that `reference` names; `${VERSION}` in it is the build's version."""

    reference: str

    declared = EXTENSIONS
    title = "copy the extensions container, where one is named"

    def require_image(self, request: Request, image: Image, cache: Cache) -> None:
        """Require a reference that is well-formed with the version in it."""
        parse_reference(self._reference(version_of(image)))

    def require_tools(self, survey: Survey) -> None:
        """Require skopeo, which copies."""
        check_version()

    def make(self, work: Work, stop: Stop) -> tuple[Artifact, ...]:
        """Copy the image into the build."""
        started, build = time.monotonic(), work.build
        (file,) = EXTENSIONS.files
        name = file.file_name(work.layer.facts.osname, build.id, build.arch)
        temporary = build.scratch / name
        with work.events.step(self.name, name) as step:
            source, registry = self._reference(build.id), work.request.registry
            step.result(copy_archive(source, build.arch, temporary, work.cache, registry).digest)
        output = Written(temporary, temporary.stat().st_size, digest_of(temporary))
        output = replace(output, path=build.publish(temporary, name))
        build.replace_image(EXTENSIONS_KEY, image_entry(output, skip_compression=True))
        return (Artifact.of(EXTENSIONS_KEY, output, started),)

    def _reference(self, version: str) -> str:
        return substitute(self.reference, VERSION=version)
