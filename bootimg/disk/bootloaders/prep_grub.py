"""GRUB for Open Firmware, in the PReP partition from which the firmware of ppc64le starts it.

No program makes the core image: it is written here, of the layer's kernel.img and modules.  So a disk of
ppc64le is the same on whatever machine it is made.
"""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from bootimg.disk.bootloaders.bootloader import Installation
from bootimg.disk.bootloaders.grub import PREFIX, core_modules, early_config
from bootimg.disk.bootloaders.grubmodules import DEPENDENCIES, MODULE, copy_modules, with_dependencies
from bootimg.disk.bootloaders.ieee1275 import core_image
from bootimg.disk.bootloaders.prepimage import PARTITION, PrepImage
from bootimg.errors import BootimgError, ExitCode
from bootimg.layer.tree.merged import Tree
from bootimg.manifest.recipe import Bootupd, Disk, Recipe

MODULES = "usr/lib/grub/powerpc-ieee1275"
BOOT_FOLDER = "grub2/powerpc-ieee1275"
"""Where the modules are, from the root of the boot partition."""
_KERNEL = "kernel.img"


class PrepGrub:
    """GRUB in the partition that the recipe's option `bios` names."""

    def unrealised(self, options: Bootupd, disk: Disk) -> Iterator[str]:
        """A core image that would find no boot entries, or that has no place on the disk."""
        if options.bios is None:
            return
        if not options.static_configs:
            yield "bios without static-configs"
        if not is_prep(options, disk):
            yield "bios without the partition PReP"

    def require(self, recipe: Recipe, tools: Tree) -> None:
        """The kernel and the modules of the core image."""
        if recipe.bootloader is not None and recipe.bootloader.bios is not None:
            prep_image(tools)

    def install(self, installation: Installation) -> PrepImage | None:
        """Copy the modules; the core image is still to be placed."""
        tools = installation.tools
        if installation.options.bios is None:
            return None
        image = prep_image(tools)
        copy_modules(installation.vm, MODULES, tools.listdir(MODULES), BOOT_FOLDER)
        return image


def is_prep(options: Bootupd, disk: Disk) -> bool:
    """Whether the bootloader's place is a PReP partition of the disk."""
    number = options.bios.partition if options.bios is not None else None
    return any(part.number == number and UUID(part.type) == PARTITION for part in disk.partitions)


def prep_image(tree: Tree) -> PrepImage:
    """The core image of the layer's GRUB; `bootloader-missing` if the layer lacks a part of it.

    Also `grub-blscfg-missing` and `grub-image-invalid`.
    """
    names = tree.listdir(MODULES)
    if missing := [name for name in (_KERNEL, DEPENDENCIES) if name not in names]:
        raise _missing(missing)
    available = {name.removesuffix(MODULE) for name in names if name.endswith(MODULE)}
    listed = tree.read(f"{MODULES}/{DEPENDENCIES}").decode(errors="replace")
    # The driver of the firmware's disks is a part of the kernel.
    wanted = with_dependencies(core_modules(available, drivers=()), listed)
    if missing := [f"{name}{MODULE}" for name in wanted if name not in available]:
        raise _missing(missing)
    modules = [tree.read(f"{MODULES}/{name}{MODULE}") for name in wanted]
    kernel = tree.read(f"{MODULES}/{_KERNEL}")
    return PrepImage(core_image(kernel, modules, config=early_config().encode(), prefix=PREFIX))


def _missing(names: list[str]) -> BootimgError:
    return BootimgError(
        "bootloader-missing",
        "the layer has no GRUB for the firmware of ppc64le",
        context=[f"looked for {name[:80]} in {MODULES}" for name in names],
        hint="install grub2-ppc64le-modules (Fedora), or grub-ieee1275-bin (Debian), there",
        exit_code=ExitCode.USAGE,
    )
