"""The bootloaders of a disk: the layer's bootupd if it has one, else those in the architecture's row."""

from __future__ import annotations

from collections.abc import Mapping

from bootimg.arch import Arch
from bootimg.arches.row import BootloaderKind
from bootimg.disk.bootloaders.bios_grub import BiosGrub
from bootimg.disk.bootloaders.bootloader import Bootloader, Installation, Placement
from bootimg.disk.bootloaders.bootupd import LayerBootupd, brings_bootupd
from bootimg.disk.bootloaders.efi_grub import EfiGrub
from bootimg.disk.bootloaders.grub import GrubConfig
from bootimg.disk.bootloaders.prep_grub import PrepGrub
from bootimg.disk.bootloaders.zipl import Zipl
from bootimg.errors import BootimgError, ExitCode
from bootimg.layer.tree.merged import Tree
from bootimg.manifest.recipe import Recipe

BOOTLOADERS: Mapping[BootloaderKind, Bootloader] = {
    BootloaderKind.EFI_GRUB: EfiGrub(),
    BootloaderKind.BIOS_GRUB: BiosGrub(),
    BootloaderKind.PREP_GRUB: PrepGrub(),
    BootloaderKind.ZIPL: Zipl(),
}
"""Those that bootimg can install."""


def choose_bootloaders(arch: Arch, tools: Tree) -> tuple[Bootloader, ...]:
    """The bootloaders of a disk, in the order to install them; `arch-build-unsupported` if one is missing."""
    if brings_bootupd(tools):
        return (LayerBootupd(),)
    if (reason := _missing(arch)) is not None:
        raise arch_unsupported(arch, reason)
    own = tuple(BOOTLOADERS[kind] for kind in arch.row.bootloaders)
    return (GrubConfig(), *own) if arch.row.has_grub else own


def require_bootloaders(recipe: Recipe, arch: Arch, tools: Tree) -> None:
    """Raise `bootloader-missing` if a bootloader of the recipe's disk cannot be installed from the tools.

    Also `grub-blscfg-missing` and `zipl-stage3-unknown`.  bootc installs the bootloader by itself; an
    architecture whose bootloaders are not known is refused before its layer is read.
    """
    known = brings_bootupd(tools) or _missing(arch) is None
    if recipe.bootloader is not None and known:
        for bootloader in choose_bootloaders(arch, tools):
            bootloader.require(recipe, tools)
    if any(disk.zipl for disk in recipe.platforms.values()):
        BOOTLOADERS[BootloaderKind.ZIPL].require(recipe, tools)


def install_bootloaders(bootloaders: tuple[Bootloader, ...], installation: Installation) -> list[Placement]:
    """Install them one after the other; returns what is still to be placed on the disk."""
    placements = [bootloader.install(installation) for bootloader in bootloaders]
    return [placement for placement in placements if placement is not None]


def disk_obstacle(arch: Arch) -> str | None:
    """Why bootimg itself makes no disks for the architecture, on any machine; None if it does."""
    return _missing(arch) or arch.row.obstacle


def arch_unsupported(arch: Arch, reason: str) -> BootimgError:
    """The error for an architecture whose disks cannot be built on this machine."""
    made = (each for each in Arch if disk_obstacle(each) is None)
    return BootimgError(
        "arch-build-unsupported",
        f"disks for {arch} cannot be built on {Arch.of_machine()} yet",
        context=[reason],
        hint=f"build {' or '.join(f'{each} on {each}' for each in made)}; "
        "`bootimg manifest` prints the recipe of every architecture",
        exit_code=ExitCode.USAGE,
    )


def _missing(arch: Arch) -> str | None:
    missing = [kind for kind in arch.row.bootloaders if kind not in BOOTLOADERS]
    return f"bootimg cannot install the bootloader {', '.join(missing)}" if missing else None
