"""GRUB for the BIOS: its modules in /boot, its boot sector and core image outside the file systems.

No program makes the core image: it is written here, of the layer's images and modules.  So a disk of x86_64
is the same on whatever machine it is made.  Both are placed on the disk file without a device or root, as
grub-bios-setup places them on a hard disk with a BIOS boot partition (GRUB's util/setup.c; offsets from its
include/grub/i386/pc/boot.h): the boot sector loads the first sector of the core image, which loads the rest
by a list of blocks at its own end.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from bootimg.disk.bootloaders.bootcode import PARTITION, SECTOR, BootCode, boot_partition
from bootimg.disk.bootloaders.bootloader import Installation
from bootimg.disk.bootloaders.corefiles import KERNEL, GrubFolder, read_core_files
from bootimg.disk.bootloaders.grub import PREFIX, core_modules, early_config
from bootimg.disk.bootloaders.grubmodules import copy_modules
from bootimg.disk.bootloaders.i386pc import (
    BLOCK,
    DECOMPRESSOR,
    DISKBOOT,
    FIRST_BLOCK,
    SEGMENT,
    invalid,
    pc_core_image,
    require_loadable,
)
from bootimg.disk.gpt import Gpt
from bootimg.layer.tree.merged import Tree
from bootimg.manifest.recipe import Bootupd, Disk, Recipe
from bootimg.sizes import align_up

MODULES = "usr/lib/grub/i386-pc"
BOOT_FOLDER = "grub2/i386-pc"
"""Where the modules are, from the root of the boot partition."""
_BOOT = "boot.img"
_FOLDER = GrubFolder(
    path=MODULES,
    images=(_BOOT, DISKBOOT, DECOMPRESSOR, KERNEL),
    firmware="the BIOS",
    packages="grub2-pc-modules (Fedora), or grub-pc-bin (Debian)",
)
_KERNEL_SECTOR = 0x5C
_BOOT_DRIVE = 0x64
_DRIVE_CHECK = slice(0x66, 0x68)
_NOPS = b"\x90\x90"
_BOOT_MAGIC = b"\x55\xaa"


@dataclass(frozen=True, slots=True)
class BiosImages:
    """GRUB's boot sector (boot.img) and core image."""

    boot_image: bytes
    core_image: bytes

    def place(self, disk: Path, gpt: Gpt) -> None:
        """Write them to the boot sector and the BIOS boot partition."""
        start, length = boot_partition(gpt)
        install_bios_grub(
            disk, boot_image=self.boot_image, core_image=self.core_image, start=start, length=length
        )


class BiosGrub:
    """GRUB for the BIOS, where the recipe has the option `bios`."""

    def unrealised(self, options: Bootupd, disk: Disk) -> Iterator[str]:
        """A BIOS bootloader that would find no boot entries, or that has no place on the disk."""
        if options.bios is not None and options.bios.partition is not None:
            yield "bios.partition"
        if options.bios is not None and not options.static_configs:
            yield "bios without static-configs"
        if options.bios is not None and all(UUID(part.type) != PARTITION for part in disk.partitions):
            yield "bios without a BIOS boot partition"

    def require(self, recipe: Recipe, tools: Tree) -> None:
        """The boot sector, the images and the modules of the core image."""
        if recipe.bootloader is not None and recipe.bootloader.bios is not None:
            bios_images(tools)

    def install(self, installation: Installation) -> BiosImages | None:
        """Copy the modules; the images are still to be placed."""
        tools = installation.tools
        if installation.options.bios is None:
            return None
        images = bios_images(tools)
        copy_modules(installation.vm, MODULES, tools.listdir(MODULES), BOOT_FOLDER)
        return images


def bios_images(tree: Tree) -> BiosImages:
    """The images of the layer's GRUB; `bootloader-missing` if the layer lacks a part of it.

    Also `grub-blscfg-missing` and `grub-image-invalid`.
    """
    files = read_core_files(tree, _FOLDER, core_modules)
    core = pc_core_image(files.images, files.modules, config=early_config().encode(), prefix=PREFIX)
    _require_boot_sector(files.images[_BOOT])
    return BiosImages(files.images[_BOOT], core)


def install_bios_grub(disk: Path, *, boot_image: bytes, core_image: bytes, start: int, length: int) -> None:
    """Put `boot_image` (boot.img) in the boot sector and `core_image` in the BIOS boot partition.

    `start` and `length` are the partition's, in bytes; the disk has sectors of 512 bytes.  What else is on
    the disk stays, see `BootCode`.
    """
    code = boot_code(boot_image, core_image, start)
    if len(code.partition) > length:
        raise invalid(
            f"a core image of {len(code.partition)} bytes does not fit a BIOS boot partition of {length}"
        )
    code.write(disk, start, length)


def boot_code(boot_image: bytes, core_image: bytes, start: int) -> BootCode:
    """The two with the sectors filled in where they find each other; `start` is the partition's, in bytes."""
    if start % SECTOR:
        raise invalid("the BIOS boot partition does not start with a sector of 512 bytes")
    core = _core(core_image, start // SECTOR)
    return BootCode(_boot_sector(boot_image, start // SECTOR), core)


def _require_boot_sector(image: bytes) -> None:
    if len(image) != SECTOR or image[-2:] != _BOOT_MAGIC:
        raise invalid(f"{_BOOT} is no boot sector of {SECTOR} bytes")


def _boot_sector(image: bytes, core_lba: int) -> bytes:
    _require_boot_sector(image)
    sector = bytearray(image)
    struct.pack_into("<Q", sector, _KERNEL_SECTOR, core_lba)
    sector[_BOOT_DRIVE] = 0xFF
    # Firmware that gives a hard disk a floppy's number is not trusted.
    sector[_DRIVE_CHECK] = _NOPS
    return bytes(sector)


def _core(image: bytes, lba: int) -> bytes:
    require_loadable(image)
    core = bytearray(image.ljust(align_up(len(image), SECTOR), b"\0"))
    _, _, segment = BLOCK.unpack_from(core, FIRST_BLOCK)
    if segment != SEGMENT:
        raise invalid("core.img does not begin with GRUB's diskboot.img")
    BLOCK.pack_into(core, FIRST_BLOCK, lba + 1, len(core) // SECTOR - 1, SEGMENT)
    # A block of length 0 in front of it ends the list, which is read backwards.
    BLOCK.pack_into(core, FIRST_BLOCK - BLOCK.size, 0, 0, 0)
    return bytes(core)
