"""Inodes as they are on the disk."""

from __future__ import annotations

import stat
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bootimg.disk.xfs.inode import Format
from bootimg.disk.xfs.layout import BLOCK, CHUNK, CORE, INODE
from bootimg.disk.xfs.read.errors import unreadable
from bootimg.disk.xfs.read.volume import XfsVolume

_MAGIC, _VERSION = b"IN", 3
# Of di_flags2: the inode counts its extents in 64 bits, in the place of the flush counter.
_LARGE_COUNTERS = 0x10
_REALTIME = 0x1


@dataclass(frozen=True, slots=True)
class Inode:
    """An inode: `mode` with the type bits, `size` in bytes, `fork` the data fork as it lies in the inode."""

    number: int
    mode: int
    size: int
    format: int
    extents: int
    fork: bytes

    @property
    def is_file(self) -> bool:
        """Whether it is a regular file."""
        return stat.S_ISREG(self.mode)

    @property
    def is_folder(self) -> bool:
        """Whether it is a directory."""
        return stat.S_ISDIR(self.mode)


def read_inode(volume: XfsVolume, number: int) -> Inode:
    """One inode; `root-filesystem-unreadable` if there is none of this number."""
    [found] = read_inodes(volume, [number])
    return found


def read_inodes(volume: XfsVolume, numbers: Iterable[int]) -> Iterator[Inode]:
    """The inodes with these numbers, ascending; neighbours are read at once."""
    start, window = 0, b""
    for number in sorted(set(numbers)):
        if number >> volume.inode_bits >= volume.groups:
            raise unreadable(f"inode {number} is in no allocation group")
        address = volume.inode_address(number)
        if not start <= address <= start + len(window) - INODE:
            start = address
            window = volume.read(start, max(INODE, min(CHUNK * INODE, volume.blocks * BLOCK - start)))
        yield _inode(volume, number, window[address - start : address - start + INODE])


def _inode(volume: XfsVolume, number: int, record: bytes) -> Inode:
    magic, mode, version, form = struct.unpack_from(">2sHBB", record)
    (size,) = struct.unpack_from(">Q", record, 56)
    (flags,) = struct.unpack_from(">H", record, 90)
    flags2, own = struct.unpack_from(">Q24xQ", record, 120)
    if (magic, version, own) != (_MAGIC, _VERSION, number):
        raise unreadable(f"inode {number} is damaged")
    if flags & _REALTIME:
        raise unreadable(f"the content of inode {number} is on a realtime device")
    large = volume.large_counters and flags2 & _LARGE_COUNTERS
    (extents,) = struct.unpack_from(">Q", record, 24) if large else struct.unpack_from(">I", record, 76)
    end = CORE + 8 * record[82] if record[82] else INODE
    if end > INODE or form not in (Format.DEVICE, Format.INLINE, Format.EXTENTS, Format.TREE):
        raise unreadable(f"inode {number} is damaged")
    return Inode(number, mode, size, form, extents, record[CORE:end])
