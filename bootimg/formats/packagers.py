"""How a platform's disk is wrapped, by its packaging: looked up in `PACKAGERS`, for a name in `Packaging`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from bootimg.arch import Arch
from bootimg.disk.extents import FileSource, Source
from bootimg.errors import BootimgError, ExitCode
from bootimg.events import Step
from bootimg.formats import Packing, Written, appliances, gcptar, write
from bootimg.formats.ociarchive import write_ociarchive
from bootimg.formats.ova import wrap_vmdk, write_ova, write_power_volume
from bootimg.formats.ovf import Disk, Product
from bootimg.manifest.recipe import Package, PlatformDisk
from bootimg.manifest.taken import unsupported
from bootimg.ovf import Ovf, PowerVolume
from bootimg.platform import Packaging, Platform

_LEVEL = 9
LayerValues = Callable[[Mapping[str, str | int | bool]], Mapping[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What is wrapped: a platform's disk, as its recipe has it, read from `source`.

    Around a disk that osbuild made, `disk` and `source` are those of what it exported.

    `layer_values` gives the texts for keys of image.json, of which it gets the defaults.
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
        """What osbuild calls that which it exports for the artifact `name`."""

    def wrap(self, content: Content, exported: Path, out: Path) -> Path:
        """The artifact that becomes of what osbuild exported: that itself, or `out`."""

    def disk_size(self, artifact: Path) -> int | None:
        """The size of the disk in an artifact, in bytes; None where only opening the disk tells."""


class _Packager:
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


class Bare(_Packager):
    """The disk itself, in its format."""

    is_disk = True

    def write(self, content: Content, out: Path, step: Step, packing: Packing) -> Written:
        """Write it."""
        content.no_package()
        disk = content.disk
        return write(disk.format, content.source, out, disk.format_options, step, packing)


class TarGz(_Packager):
    """`disk.raw` in a sparse tar."""

    def write(self, content: Content, out: Path, step: Step, packing: Packing) -> Written:
        """Write it; the writer has one way to deflate, so another level is refused."""
        package = content.package(Packaging.TAR_GZ)
        if package.level != _LEVEL:
            raise unsupported("org.osbuild.gzip", f"level: {package.level}")
        return write("gcp", content.source, out, {}, step, packing)

    def disk_size(self, artifact: Path) -> int | None:
        """It stands in the header."""
        return gcptar.disk_size(artifact)


class OciArchive(_Packager):
    """A container image with the disk in /disk."""

    spools = True

    def write(self, content: Content, out: Path, step: Step, packing: Packing) -> Written:
        """Write it."""
        package = content.package(Packaging.OCIARCHIVE)
        if package.architecture != content.arch.oci:
            raise unsupported("org.osbuild.oci-archive", f"architecture: {package.architecture}")
        return write_ociarchive(
            content.source,
            out,
            disk_name=package.member.rpartition("/")[2],
            arch=content.arch,
            labels=package.labels or {},
            step=step,
            packing=packing,
        )


class Ova(_Packager):
    """A tar of a description and the disk."""

    spools = True

    def check(self, platform: Platform) -> None:
        """`ovf-unknown` unless its description is one of ours and fits the format of its disk."""
        described = DESCRIPTIONS.get(type(platform.packaging_options))
        if described is None or platform.disk_format != described.disk_format:
            raise _unknown(platform)

    def file_name(self, platform: Platform, disk: PlatformDisk) -> str:
        """The OVA's; the recipe has the name of the disk in it."""
        return f"{disk.filename.removesuffix(f'.{disk.format}')}.{platform.suffix}"

    def write(self, content: Content, out: Path, step: Step, packing: Packing) -> Written:
        """Write it."""
        content.no_package()
        self.check(content.platform)
        return DESCRIPTIONS[type(content.platform.packaging_options)].write(content, out, step, packing)

    def exported_name(self, platform: Platform, name: str) -> str:
        """The disk's."""
        return f"{name.removesuffix(f'.{platform.suffix}')}.{platform.disk_format}"

    def wrap(self, content: Content, exported: Path, out: Path) -> Path:
        """osbuild makes the disk, and the OVA is ours."""
        self.check(content.platform)
        return DESCRIPTIONS[type(content.platform.packaging_options)].wrap(content, exported, out).path


@dataclass(frozen=True, slots=True)
class Described:
    """A kind of description: the format of the disk beside it, how the OVA is written, and around a disk."""

    disk_format: str
    write: Callable[[Content, Path, Step | None, Packing | None], Written]
    wrap: Callable[[Content, Path, Path], Written]


def _machine(content: Content, out: Path, step: Step | None, packing: Packing | None) -> Written:
    options = content.disk.format_options
    return write_ova(content.source, out, _describe(content), options, step, packing)


def _wrap_machine(content: Content, exported: Path, out: Path) -> Written:
    with exported.open("rb") as vmdk:
        return wrap_vmdk(vmdk, out, _describe(content))


def _describe(content: Content) -> Callable[[Disk], bytes]:
    description = content.platform.packaging_options
    assert isinstance(description, Ovf)
    values = content.layer_values(description.layer_values)
    return lambda disk: appliances.machine(description, disk, content.product, values)


def _wrap_power_volume(content: Content, exported: Path, out: Path) -> Written:
    with FileSource(exported) as source:
        return _power_volume(replace(content, source=source), out, None, None)


def _power_volume(content: Content, out: Path, step: Step | None, packing: Packing | None) -> Written:
    description, product = content.platform.packaging_options, content.product
    assert isinstance(description, PowerVolume)
    name = f"{product.name}-disk.raw"
    return write_power_volume(content.source, out, description, product, name, step, packing)


DESCRIPTIONS: Mapping[type, Described] = {
    Ovf: Described("vmdk", _machine, _wrap_machine),
    PowerVolume: Described("raw", _power_volume, _wrap_power_volume),
}
PACKAGERS: Mapping[Packaging, Packager] = {
    Packaging.NONE: Bare(),
    Packaging.TAR_GZ: TarGz(),
    Packaging.OVA: Ova(),
    Packaging.OCIARCHIVE: OciArchive(),
}
"""BlueField's boot stream is made of live media, not of a disk."""


def packager_of(platform: Platform) -> Packager:
    """The packager of a platform whose images are made of a disk; it refuses what does not fit."""
    found = PACKAGERS[platform.packaging]
    found.check(platform)
    return found


def spools(platform: Platform) -> bool:
    """Whether a second file is on the same file system while the platform's artifact is written."""
    return platform.packaging in PACKAGERS and PACKAGERS[platform.packaging].spools


def _unknown(platform: Platform) -> BootimgError:
    wanted = " or ".join(f"{kind.__name__} with a disk in {each.disk_format}"
                         for kind, each in DESCRIPTIONS.items())  # fmt: skip
    return BootimgError(
        "ovf-unknown",
        f"the plugin of {platform.name} has no description for an OVA that bootimg knows",
        context=[f"packaging_options is {platform.packaging_options!r:.80}, the disk {platform.disk_format}"],
        hint=f"it is to be {wanted}",
        exit_code=ExitCode.USAGE,
    )
