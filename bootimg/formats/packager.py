"""The protocol of packagers, which wrap a platform's disk; `packagers` has one for each packaging."""

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
    """What is wrapped: a platform's disk, as its recipe has it, read from `source`.

    Where osbuild made the disk, `disk` and `source` are of the file that it exported.  `layer_values` takes
    keys of image.json with their defaults and returns the layer's values as texts.
    """

    platform: Platform
    disk: PlatformDisk
    source: Source
    arch: Arch
    product: Product
    layer_values: LayerValues = field(default=lambda defaults: {})

    def package(self, kind: Packaging) -> Package:
        """The recipe's part about the packaging, which must be of that kind."""
        found = self.disk.package
        if found is None or found.kind is not kind:
            raise unsupported(self.disk.name, f"packaging: {found.kind if found else 'none'}")
        return found

    def no_package(self) -> None:
        """Refuse a recipe that wraps the disk by itself."""
        if self.disk.package is not None:
            raise unsupported(self.disk.name, f"packaging: {self.disk.package.kind}")


class Packager(Protocol):
    """A way to wrap a disk.

    `spools` says that the disk waits in a second file until its size is known, `is_disk` that the
    artifact is the disk itself, which QEMU opens.
    """

    spools: bool
    is_disk: bool

    def check(self, platform: Platform) -> None:
        """Refuse a platform that does not fit, before work starts."""

    def file_name(self, platform: Platform, disk: PlatformDisk) -> str:
        """The artifact's file name, without a compressor."""

    def write(self, content: Content, out: Path, step: Step, packing: Packing) -> Written:
        """Write the artifact `out`, whole or not at all."""

    def exported_name(self, platform: Platform, name: str) -> str:
        """The name of the file that osbuild exports for the artifact `name`."""

    def wrap(self, content: Content, exported: Path, out: Path) -> Path:
        """The artifact made of the file that osbuild exported: that file, or `out` around it."""

    def disk_size(self, artifact: Path) -> int | None:
        """The size of the disk in an artifact, in bytes; None where only opening the disk tells."""


class BasePackager:
    """What most of them have in common."""

    spools = is_disk = False

    def check(self, platform: Platform) -> None:
        """Any platform fits."""

    def file_name(self, platform: Platform, disk: PlatformDisk) -> str:
        """The name that the recipe has."""
        return disk.filename

    def exported_name(self, platform: Platform, name: str) -> str:
        """The same."""
        return name

    def wrap(self, content: Content, exported: Path, out: Path) -> Path:
        """It is wrapped already."""
        return exported

    def disk_size(self, artifact: Path) -> int | None:
        """It is not told."""
        return None
