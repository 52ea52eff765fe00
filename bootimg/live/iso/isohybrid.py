"""What makes an ISO a disk as well: an MBR with syslinux's boot code, and a GPT.

The layout is that of `isohybrid --uefi`: partition 1 of the MBR is active and covers the whole image,
partition 2 (type EF) is the EFI boot image; the GPT has the same two as basic data, the first without the
image's end.
The image ends at a cylinder of 64 heads and 32 sectors, after the GPT's backup.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from uuid import UUID

from bootimg.disk.gpt import Gpt, Partition, backup_copy, partition_guid, primary_copy
from bootimg.errors import BootimgError, ExitCode
from bootimg.live.iso.sectors import SECTOR, SYSTEM_AREA
from bootimg.sizes import align_up

_BLOCK = 512
_HEADS, _BLOCKS_PER_TRACK = 64, 32
_CYLINDER = _HEADS * _BLOCKS_PER_TRACK * _BLOCK
_CYLINDERS = 1024
_MBR = struct.Struct("<432sQIH64s2s")
_ENTRY = struct.Struct("<BBBBBBBBII")
_BACKUP = 33 * _BLOCK
_BASIC_DATA = UUID("ebd0a0a2-b9e5-4433-87c0-68b6b72699c7")
_ISOLINUX_MAGIC = b"\xfb\xc0\x78\x70"
_MAGIC_AT = 64
CODE_SIZE = 432
"""The bytes of isohdpfx.bin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hybrid:
    """`boot_code` is isohdpfx.bin; `bios` and `efi` are the paths of isolinux.bin and the EFI boot image."""

    boot_code: bytes
    bios: str
    efi: str


def check_hybrid(boot_code: bytes, isolinux: bytes) -> None:
    """Refuse boot code and an isolinux.bin that do not belong together: `isolinux-invalid`."""
    if len(boot_code) != CODE_SIZE:
        raise _invalid(f"isohdpfx.bin has {len(boot_code)} bytes, not {CODE_SIZE}")
    if isolinux[_MAGIC_AT : _MAGIC_AT + 4] != _ISOLINUX_MAGIC:
        raise _invalid("isolinux.bin lacks the signature that the boot code of isohdpfx.bin looks for")


def hybrid_size(sectors: int) -> int:
    """The size in bytes of the image as a disk."""
    return align_up(sectors * SECTOR + _BACKUP, _CYLINDER)


def hybrid_areas(
    hybrid: Hybrid, identity: str, sectors: int, bios: int, efi: tuple[int, int]
) -> tuple[bytes, bytes]:
    """The system area, and the image's end from its volume's end on.

    `identity` makes the GUIDs.  `sectors` is the volume's size, `bios` the sector of isolinux.bin, `efi` the
    sector and the size in bytes of the EFI boot image.
    """
    size = hybrid_size(sectors)
    ratio = SECTOR // _BLOCK
    start, length = efi[0] * ratio, -(-efi[1] // SECTOR) * ratio
    disk_guid = partition_guid(identity, "iso")
    gpt = Gpt(
        disk_guid,
        size // _BLOCK,
        (
            _partition(1, "ISOHybrid ISO", identity, 0, sectors * ratio),
            _partition(2, "ISOHybrid", identity, start, length),
        ),
        first_usable=34,
        hybrid=True,
    )
    partitions = _whole_disk(size) + _ENTRY.pack(0, 0xFE, 0xFF, 0xFF, 0xEF, 0xFE, 0xFF, 0xFF, start, length)
    identifier = int.from_bytes(disk_guid.bytes[:4], "little")
    mbr = _MBR.pack(hybrid.boot_code, bios * ratio, identifier, 0, partitions, b"\x55\xaa")
    backup = backup_copy(gpt)
    return (mbr + primary_copy(gpt)).ljust(SYSTEM_AREA, b"\0"), backup.rjust(size - sectors * SECTOR, b"\0")


def _partition(number: int, name: str, identity: str, start: int, blocks: int) -> Partition:
    return Partition(number, name, _BASIC_DATA, partition_guid(identity, name), start, blocks)


def _whole_disk(size: int) -> bytes:
    last = min(size // _CYLINDER, _CYLINDERS) - 1
    sector = _BLOCKS_PER_TRACK + ((last & 0x300) >> 2)
    return _ENTRY.pack(0x80, 0, 1, 0, 0, _HEADS - 1, sector, last & 0xFF, 0, min(size // _BLOCK, 0xFFFFFFFF))


def _invalid(why: str) -> BootimgError:
    return BootimgError(
        "isolinux-invalid",
        f"the files of syslinux cannot start an ISO from a disk: {why}",
        hint="take isolinux.bin and isohdpfx.bin from one version of syslinux",
        exit_code=ExitCode.USAGE,
    )
