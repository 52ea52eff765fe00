"""Packages OVAs; the kind of the plugin's description decides how."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bootimg.disk.extents import FileSource
from bootimg.errors import BootimgError, ExitCode
from bootimg.events import Step
from bootimg.formats.compression.writer import Packing
from bootimg.formats.output import Written
from bootimg.formats.ova import appliances
from bootimg.formats.ova.archive import wrap_vmdk, write_ova, write_power_volume
from bootimg.formats.ova.ovf import Disk
from bootimg.formats.packager import BasePackager, Content
from bootimg.manifest.recipe import PlatformDisk
from bootimg.ovf import Ovf, PowerVolume
from bootimg.platform import Platform


class Ova(BasePackager):
    """Packages a tar of a description and the disk."""

    spools = True

    def check(self, platform: Platform) -> None:
        """`ovf-unknown` unless the description is of a known kind and fits the format of the disk."""
        described = DESCRIPTIONS.get(type(platform.packaging_options))
        if described is None or platform.disk_format != described.disk_format:
            raise _unknown(platform)

    def file_name(self, platform: Platform, disk: PlatformDisk) -> str:
        """The name of the OVA, from the recipe's name of the disk inside it."""
        return f"{disk.filename.removesuffix(f'.{disk.format}')}.{platform.suffix}"

    def write(self, content: Content, out: Path, step: Step, packing: Packing) -> Written:
        """Write the OVA."""
        content.no_package()
        self.check(content.platform)
        return DESCRIPTIONS[type(content.platform.packaging_options)].write(content, out, step, packing)

    def exported_name(self, platform: Platform, name: str) -> str:
        """The name of the disk inside the OVA."""
        return f"{name.removesuffix(f'.{platform.suffix}')}.{platform.disk_format}"

    def wrap(self, content: Content, exported: Path, out: Path) -> Path:
        """Make the OVA around the disk that osbuild exported."""
        self.check(content.platform)
        return DESCRIPTIONS[type(content.platform.packaging_options)].wrap(content, exported, out).path


@dataclass(frozen=True, slots=True)
class Described:
    """A kind of description: its disk's format, and functions to write the OVA or to wrap a disk in it."""

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


def _unknown(platform: Platform) -> BootimgError:
    wanted = " or ".join(f"{kind.__name__} with a disk in {each.disk_format}"
                         for kind, each in DESCRIPTIONS.items())  # fmt: skip
    return BootimgError(
        "ovf-unknown",
        f"the plugin of {platform.name} has no description for an OVA that bootimg knows",
        context=[f"packaging_options is {platform.packaging_options!r:.80}, the disk {platform.disk_format}"],
        hint=f"it must be {wanted}",
        exit_code=ExitCode.USAGE,
    )
