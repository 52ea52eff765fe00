"""GRUB for the BIOS placed on a disk file: boot sector and core image, without a device or root.

What grub-bios-setup does to a hard disk with a BIOS boot partition (GRUB's util/setup.c; offsets from
its include/grub/i386/pc/boot.h): the boot sector loads the first sector of the core image, which loads
the rest by a list of blocks at its own end.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

from bootimg.disk.extents import read_exactly, write_fully
from bootimg.errors import BootimgError
from bootimg.sizes import align_up

_SECTOR = 512
_BPB = slice(0x03, 0x5A)
_KERNEL_SECTOR = 0x5C
_BOOT_DRIVE = 0x64
_DRIVE_CHECK = slice(0x66, 0x68)
_SIGNATURE_AND_TABLE = slice(0x1B8, 0x1FE)
_NOPS = b"\x90\x90"
_BOOT_MAGIC = b"\x55\xaa"
_BLOCK = struct.Struct("<QHH")
_FIRST_BLOCK = _SECTOR - _BLOCK.size
# The core image is loaded from segment 0x800 on; its first sector is there already.
_SEGMENT = 0x800 + (_SECTOR >> 4)
# Conventional memory from where it is loaded (0x8000) to where GRUB's own data begins (0x78000).
_LARGEST = 0x78000 - 0x8000


def install_bios_grub(disk: Path, *, boot_image: bytes, core_image: bytes, start: int, length: int) -> None:
    """Put `boot_image` (boot.img) in the boot sector and `core_image` in the BIOS boot partition.

    `start` and `length` are the partition's, in bytes; the disk has sectors of 512 bytes.  Partition
    table and disk signature stay.  The partition behind the core image is zeroed, so that the result
    depends on nothing but the arguments.
    """
    core = _core(core_image, start // _SECTOR)
    if start % _SECTOR or len(core) > length:
        raise _invalid(f"a core image of {len(core)} bytes does not fit a BIOS boot partition of {length}")
    fd = os.open(disk, os.O_RDWR | os.O_CLOEXEC)
    try:
        sector = _boot_sector(boot_image, read_exactly(fd, 0, _SECTOR), start // _SECTOR)
        write_fully(fd, core.ljust(length, b"\0"), start)
        write_fully(fd, sector, 0)
        os.fsync(fd)
    finally:
        os.close(fd)


def _boot_sector(image: bytes, present: bytes, core_lba: int) -> bytes:
    if len(image) != _SECTOR or image[-2:] != _BOOT_MAGIC:
        raise _invalid("boot.img is no boot sector of 512 bytes")
    sector = bytearray(image)
    sector[_BPB] = present[_BPB]
    struct.pack_into("<Q", sector, _KERNEL_SECTOR, core_lba)
    sector[_BOOT_DRIVE] = 0xFF
    # Firmware that gives a hard disk a floppy's number is not believed.
    sector[_DRIVE_CHECK] = _NOPS
    sector[_SIGNATURE_AND_TABLE] = present[_SIGNATURE_AND_TABLE]
    return bytes(sector)


def _core(image: bytes, lba: int) -> bytes:
    if not 2 * _SECTOR <= len(image) <= _LARGEST:
        raise _invalid(f"a core image of {len(image)} bytes cannot be loaded")
    core = bytearray(image.ljust(align_up(len(image), _SECTOR), b"\0"))
    _, _, segment = _BLOCK.unpack_from(core, _FIRST_BLOCK)
    if segment != _SEGMENT:
        raise _invalid("core.img does not begin with GRUB's diskboot.img")
    _BLOCK.pack_into(core, _FIRST_BLOCK, lba + 1, len(core) // _SECTOR - 1, _SEGMENT)
    # A block of length 0 in front of it ends the list, which is read backwards.
    _BLOCK.pack_into(core, _FIRST_BLOCK - _BLOCK.size, 0, 0, 0)
    return bytes(core)


def _invalid(what: str) -> BootimgError:
    return BootimgError(
        "grub-image-invalid",
        f"GRUB for the BIOS cannot be installed: {what}",
        hint="the layer's GRUB modules (usr/lib/grub/i386-pc) may be damaged or of another version",
    )
