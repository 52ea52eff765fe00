"""Reads the MBR of an ISO that is a disk as well; `bootimg.live.iso.isohybrid` writes it."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from bootimg.disk.extents import Source

BLOCK = 512
EFI_KIND = 0xEF
_ISOLINUX_AT, _PARTITIONS_AT, _SIGNATURE_AT = 432, 446, 510
_ENTRY = struct.Struct("<B3xB3xII")
_ACTIVE = 0x80


@dataclass(frozen=True, slots=True)
class MbrPartition:
    """A partition: whether the BIOS starts it, its type, its first byte and its length in bytes."""

    active: bool
    kind: int
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class HybridMbr:
    """The byte at which the boot code looks for isolinux.bin, and the partitions in use."""

    isolinux: int
    partitions: tuple[MbrPartition, ...]


def read_mbr(source: Source) -> HybridMbr | None:
    """The MBR; None if the first block has no signature of one."""
    data = source.read(0, BLOCK)
    if data[_SIGNATURE_AT:] != b"\x55\xaa":
        return None
    (isolinux,) = struct.unpack_from("<I", data, _ISOLINUX_AT)
    entries = _ENTRY.iter_unpack(data[_PARTITIONS_AT:_SIGNATURE_AT])
    partitions = (
        MbrPartition(flag == _ACTIVE, kind, start * BLOCK, blocks * BLOCK)
        for flag, kind, start, blocks in entries
        if blocks
    )
    return HybridMbr(isolinux * BLOCK, tuple(partitions))
