"""A platform's image, made from a base disk or by osbuild."""

from __future__ import annotations

from dataclasses import dataclass

from bootimg import process
from bootimg.formats import Compressor, Packing
from bootimg.formats.packagers import spools
from bootimg.jobs import Stop
from bootimg.orchestrator.artifacts.compressors import artifact_compressor
from bootimg.orchestrator.artifacts.cost import memory_of
from bootimg.orchestrator.artifacts.exported import collect_image
from bootimg.orchestrator.artifacts.platformimage import make_image
from bootimg.orchestrator.recipes.prepare import Layer
from bootimg.orchestrator.refusals import refuse_unmade
from bootimg.orchestrator.request import Artifact, Builder, Request
from bootimg.orchestrator.step import Need
from bootimg.orchestrator.survey import Survey
from bootimg.orchestrator.targets.target import Target
from bootimg.orchestrator.work import Work
from bootimg.platform import Platform
from bootimg.targets import DeclaredTarget, image_of


@dataclass(frozen=True, slots=True)
class PlatformImage(Target):
    """The image of one platform."""

    platform: Platform

    @property
    def declared(self) -> DeclaredTarget:
        """The names of the platform's image."""
        return image_of(self.platform)

    @property
    def title(self) -> str:
        """What the step does, for people."""
        return f"make the image for {self.platform.name}"

    @property
    def base_sector_sizes(self) -> tuple[int, ...]:
        """The sector size of the platform's disks."""
        return (self.platform.sector_size,)

    def require(self, request: Request) -> None:
        """Require a platform whose images can be made."""
        refuse_unmade(self.declared, request.arch)

    def require_layer(self, request: Request, layer: Layer) -> None:
        """Require a known compressor."""
        _compressor(request, layer, self.platform)

    def require_tools(self, survey: Survey) -> None:
        """Require the programs that edit /boot; osbuild brings its own."""
        if not by_osbuild(survey.request):
            for program in ("debugfs", "e2fsck"):
                process.require(program, packages="e2fsprogs")

    def need(self, survey: Survey) -> Need:
        """The used size of the base disk; twice that if the packaging spools the disk."""
        if survey.has(self.declared):
            return Need()
        base = None if by_osbuild(survey.request) else survey.base(self.platform.sector_size)
        used = base.path.stat().st_blocks * 512 if base else survey.base_bytes
        return Need(builds=used * (2 if spools(self.platform) else 1))

    def suffix(self, survey: Survey) -> str:
        """The compressor's suffix; empty until the layer, which may choose the compressor, is read."""
        if survey.layer is None:
            return ""
        return _compressor(survey.request, survey.layer, self.platform).suffix

    def virtual_size(self, survey: Survey) -> int | None:
        """The disk's size from the recipe."""
        recipe = survey.recipes.get(self.platform.sector_size)
        return (recipe.platforms[self.platform.name].size or recipe.disk.size) if recipe else None

    def memory(self, work: Work) -> int:
        """The memory that its packing takes."""
        return memory_of(self._packing(work))

    def make(self, work: Work, stop: Stop) -> tuple[Artifact, ...]:
        """Read the base disk and the platform's patch once, or take osbuild's export."""
        if by_osbuild(work.request):
            return (collect_image(work, self.platform),)
        size = self.platform.sector_size
        disk = work.results.recipes[size].platforms[self.platform.name]
        return (make_image(work, self.platform, disk, work.results.bases[size], self._packing(work), stop),)

    def _packing(self, work: Work) -> Packing:
        return Packing(_compressor(work.request, work.layer, self.platform))


def by_osbuild(request: Request) -> bool:
    """Whether the program osbuild makes the images."""
    return request.builder is Builder.OSBUILD


def _compressor(request: Request, layer: Layer, platform: Platform) -> Compressor:
    # osbuild exports disks uncompressed.
    if by_osbuild(request):
        return Compressor.NONE
    return artifact_compressor(request, platform, layer.facts.image_json)
