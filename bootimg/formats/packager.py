"""The protocol of packagers, which wrap a platform's disk; the module `packagers` has them all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from bootimg.arch import Arch
from bootimg.disk.extents import Source
from bootimg.events import Step
from bootimg.formats.compression.writer import Packing
from bootimg.formats.output import Written
from bootimg.formats.ova.ovf import Product
from bootimg.manifest.recipe import Package, PlatformDisk
from bootimg.manifest.strict import unsupported
from bootimg.platform import Packaging, Platform

LayerValues = Callable[[Mapping[str, str | int | bool]], Mapping[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """The input of a packager: a platform's disk, as the recipe describes it, read from `source`.

    If osbuild made the disk, `disk` and `source` describe its exported file.  `layer_values` takes keys of
    image.json with their defaults and returns the layer's values as strings.
    """

    platform: Platform
    disk: PlatformDisk
    source: Source
    arch: Arch
    product: Product
    layer_values: LayerValues = field(default=lambda defaults: {})

    def package(self, kind: Packaging) -> Package:
        """The packaging part of the recipe, which must be of that kind."""
        found = self.disk.package
        if found is None or found.kind is not kind:
            raise unsupported(self.disk.name, f"packaging: {found.kind if found else 'none'}")
        return found

    def no_package(self) -> None:
        """Refuse a recipe that has its own packaging."""
        if self.disk.package is not None:
            raise unsupported(self.disk.name, f"packaging: {self.disk.package.kind}")


class Packager(Protocol):
    """Wraps a disk in a package.

    With `spools` the disk is first written to a second file, because its size must be known.  With
    `is_disk` the artifact is the disk itself, and QEMU can open it.
    """

    spools: bool
    is_disk: bool

    def check(self, platform: Platform) -> None:
        """Refuse an unsuitable platform, before any work."""

    def file_name(self, platform: Platform, disk: PlatformDisk) -> str:
        """The artifact's file name, without a compressor."""

    def write(self, content: Content, out: Path, step: Step, packing: Packing) -> Written:
        """Write the artifact `out` atomically."""

    def exported_name(self, platform: Platform, name: str) -> str:
        """The name of the file that osbuild exports for the artifact `name`."""

    def wrap(self, content: Content, exported: Path, out: Path) -> Path:
        """The artifact made from the file that osbuild exported: that file itself, or `out` around it."""

    def disk_size(self, artifact: Path) -> int | None:
        """The size of the disk in an artifact, in bytes; None if one must open the disk to find out."""


class BasePackager:
    """The defaults of a packager."""

    spools = is_disk = False

    def check(self, platform: Platform) -> None:
        """Accept any platform."""

    def file_name(self, platform: Platform, disk: PlatformDisk) -> str:
        """The recipe's name."""
        return disk.filename

    def exported_name(self, platform: Platform, name: str) -> str:
        """The artifact's name."""
        return name

    def wrap(self, content: Content, exported: Path, out: Path) -> Path:
        """The exported file, which is wrapped already."""
        return exported

    def disk_size(self, artifact: Path) -> int | None:
        """None: it is not known."""
        return None
