"""GRUB for Open Firmware, in the PReP partition from which the firmware of ppc64le starts it."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from bootimg.disk.bootloaders.bootloader import Installation
from bootimg.disk.bootloaders.grub import PREFIX, core_modules, early_config
from bootimg.disk.bootloaders.grubmodules import copy_modules
from bootimg.disk.bootloaders.openfirmware import MODULES, open_firmware_core
from bootimg.disk.bootloaders.prepimage import PARTITION, PrepImage
from bootimg.layer.tree.merged import Tree
from bootimg.manifest.recipe import Bootupd, Disk, Recipe

BOOT_FOLDER = "grub2/powerpc-ieee1275"
"""Where the modules are, from the root of the boot partition."""


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
    return PrepImage(
        open_firmware_core(
            tree,
            # The driver of the firmware's disks is a part of the kernel.
            lambda available: core_modules(available, drivers=()),
            config=early_config(),
            prefix=PREFIX,
        )
    )
