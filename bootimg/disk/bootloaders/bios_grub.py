"""GRUB for the BIOS: its modules in /boot, its boot sector and core image outside the file systems.

The core image is made in the appliance by the layer's program and placed on the disk file without a device
or root.  That is what grub-bios-setup does to a hard disk with a BIOS boot partition (GRUB's util/setup.c;
offsets from its include/grub/i386/pc/boot.h): the boot sector loads the first sector of the core image, which
loads the rest by a list of blocks at its own end.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from os import fspath
from pathlib import Path
from uuid import UUID

from bootimg.appliance import Appliance
from bootimg.disk.bootloaders.bootcode import PARTITION, SECTOR, BootCode, boot_partition
from bootimg.disk.bootloaders.bootloader import Installation
from bootimg.disk.bootloaders.grub import early_config, mkimage_argv
from bootimg.disk.bootloaders.grubmodules import copy_modules
from bootimg.disk.gpt import Gpt
from bootimg.errors import BootimgError, ExitCode
from bootimg.layer.tree.merged import Tree
from bootimg.manifest.recipe import Bootupd, Disk, Recipe
from bootimg.sizes import align_up

MODULES = "usr/lib/grub/i386-pc"
BOOT_IMAGE = f"{MODULES}/boot.img"
EARLY_CONFIG, CORE_IMAGE = "/run/early.cfg", "/run/core.img"
BOOT_FOLDER = "grub2/i386-pc"
"""Where the modules are, from the root of the boot partition."""
_KERNEL_SECTOR = 0x5C
_BOOT_DRIVE = 0x64
_DRIVE_CHECK = slice(0x66, 0x68)
_NOPS = b"\x90\x90"
_BOOT_MAGIC = b"\x55\xaa"
_BLOCK = struct.Struct("<QHH")
_FIRST_BLOCK = SECTOR - _BLOCK.size
# The core image is loaded from segment 0x800 on; its first sector is there already.
_SEGMENT = 0x800 + (SECTOR >> 4)
# Conventional memory from where it is loaded (0x8000) to where GRUB's own data begins (0x78000).
_LARGEST = 0x78000 - 0x8000


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
        """The boot sector, the modules and the program that makes a core image of them."""
        if recipe.bootloader is not None and recipe.bootloader.bios is not None:
            core_argv(tools)

    def install(self, installation: Installation) -> BiosImages | None:
        """Make the core image and copy the modules."""
        if installation.options.bios is None:
            return None
        return _make_images(installation.vm, installation.tools)


def _make_images(vm: Appliance, tree: Tree) -> BiosImages:
    """Make the core image in the appliance and copy GRUB's modules to /boot."""
    images = make_core_image(vm, tree)
    copy_modules(vm, MODULES, tree.listdir(MODULES), BOOT_FOLDER)
    return images


def make_core_image(vm: Appliance, tree: Tree) -> BiosImages:
    """Make the core image in the appliance, with the layer's program; nothing on a disk changes."""
    vm.put(EARLY_CONFIG, early_config().encode())
    vm.run([fspath(word) for word in core_argv(tree)], timeout=120)
    return BiosImages(tree.read(BOOT_IMAGE), vm.get(CORE_IMAGE))


def core_argv(tree: Tree) -> list[str | os.PathLike[str]]:
    """The command that makes the core image in the appliance; `bootloader-missing` without its program."""
    modules = {name.removesuffix(".mod") for name in tree.listdir(MODULES) if name.endswith(".mod")}
    return mkimage_argv(mkimage_program(tree), f"/{MODULES}", EARLY_CONFIG, CORE_IMAGE, modules)


def mkimage_program(tree: Tree) -> str:
    """The name of the layer's grub-mkimage; `bootloader-missing` without it or GRUB's boot sector."""
    program = next((p for p in ("grub2-mkimage", "grub-mkimage") if tree.exists(f"usr/bin/{p}")), None)
    if program is None or not tree.exists(BOOT_IMAGE):
        raise BootimgError(
            "bootloader-missing",
            "the layer has no GRUB for the BIOS",
            context=[f"looked for usr/bin/grub2-mkimage, usr/bin/grub-mkimage and {BOOT_IMAGE}"],
            hint="install grub2-pc and grub2-tools (Fedora), or grub-pc-bin and grub-common (Debian), there",
            exit_code=ExitCode.USAGE,
        )
    return program


def install_bios_grub(disk: Path, *, boot_image: bytes, core_image: bytes, start: int, length: int) -> None:
    """Put `boot_image` (boot.img) in the boot sector and `core_image` in the BIOS boot partition.

    `start` and `length` are the partition's, in bytes; the disk has sectors of 512 bytes.  What else is on
    the disk stays, see `BootCode`.
    """
    code = boot_code(boot_image, core_image, start)
    if len(code.partition) > length:
        raise _invalid(
            f"a core image of {len(code.partition)} bytes does not fit a BIOS boot partition of {length}"
        )
    code.write(disk, start, length)


def boot_code(boot_image: bytes, core_image: bytes, start: int) -> BootCode:
    """The two with the sectors filled in where they find each other; `start` is the partition's, in bytes."""
    if start % SECTOR:
        raise _invalid("the BIOS boot partition does not start with a sector of 512 bytes")
    core = _core(core_image, start // SECTOR)
    return BootCode(_boot_sector(boot_image, start // SECTOR), core)


def _boot_sector(image: bytes, core_lba: int) -> bytes:
    if len(image) != SECTOR or image[-2:] != _BOOT_MAGIC:
        raise _invalid("boot.img is no boot sector of 512 bytes")
    sector = bytearray(image)
    struct.pack_into("<Q", sector, _KERNEL_SECTOR, core_lba)
    sector[_BOOT_DRIVE] = 0xFF
    # Firmware that gives a hard disk a floppy's number is not trusted.
    sector[_DRIVE_CHECK] = _NOPS
    return bytes(sector)


def _core(image: bytes, lba: int) -> bytes:
    if not 2 * SECTOR <= len(image) <= _LARGEST:
        raise _invalid(f"a core image of {len(image)} bytes cannot be loaded")
    core = bytearray(image.ljust(align_up(len(image), SECTOR), b"\0"))
    _, _, segment = _BLOCK.unpack_from(core, _FIRST_BLOCK)
    if segment != _SEGMENT:
        raise _invalid("core.img does not begin with GRUB's diskboot.img")
    _BLOCK.pack_into(core, _FIRST_BLOCK, lba + 1, len(core) // SECTOR - 1, _SEGMENT)
    # A block of length 0 in front of it ends the list, which is read backwards.
    _BLOCK.pack_into(core, _FIRST_BLOCK - _BLOCK.size, 0, 0, 0)
    return bytes(core)


def _invalid(what: str) -> BootimgError:
    return BootimgError(
        "grub-image-invalid",
        f"GRUB for the BIOS cannot be installed: {what}",
        hint="the layer's GRUB modules (usr/lib/grub/i386-pc) may be damaged or of another version",
    )
