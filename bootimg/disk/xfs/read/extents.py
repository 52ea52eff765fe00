"""The extents of a data fork: a list in the inode, or a B+tree."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from bootimg.disk.xfs.extents import HEADER, NODE_ROOM, RECORD, Extent, root_room
from bootimg.disk.xfs.inode import Format
from bootimg.disk.xfs.read.errors import unreadable
from bootimg.disk.xfs.read.inodes import Inode
from bootimg.disk.xfs.read.volume import XfsVolume

_EXTENT = 200
"""What an extent takes in memory, in bytes."""
_DEEPEST = 9
"""XFS_BTREE_MAXLEVELS of the kernel."""


def written_extents(volume: XfsVolume, inode: Inode) -> Iterator[Extent]:
    """The extents with data, ascending and without overlap; unwritten ones read as zeros and are left out.

    Raises `root-filesystem-unreadable` for a fork that is damaged.
    """
    end = 0
    for record in _records(volume, inode):
        value = int.from_bytes(record, "big")
        extent = Extent(value >> 73 & (1 << 54) - 1, value >> 21 & (1 << 52) - 1, value & (1 << 21) - 1)
        if extent.offset < end or not extent.length:
            raise unreadable(f"the extents of inode {inode.number} are out of order")
        end = extent.offset + extent.length
        volume.budget.hold(_EXTENT, f"the extents of inode {inode.number}")
        volume.extent_address(extent.start, extent.length)
        if not value >> 127:
            yield extent


def _records(volume: XfsVolume, inode: Inode) -> Iterator[bytes]:
    if inode.format == Format.EXTENTS:
        if inode.extents * RECORD > len(inode.fork):
            raise unreadable(f"inode {inode.number} has {inode.extents} extents")
        yield from _split(inode.fork, inode.extents)
    elif inode.format == Format.TREE:
        level, count = struct.unpack_from(">HH", inode.fork)
        room = root_room(len(inode.fork))
        if not 0 < level <= _DEEPEST or not 0 < count <= room:
            raise unreadable(f"the extent tree of inode {inode.number} is damaged")
        for pointer in struct.unpack_from(f">{count}Q", inode.fork, 4 + 8 * room):
            yield from _below(volume, inode, pointer, level - 1)


def _below(volume: XfsVolume, inode: Inode, place: int, level: int) -> Iterator[bytes]:
    """The records below a block of the tree.

    The level falls with each step, and no block is empty: what is there twice is found by its records, so a
    small damaged tree does not become a long walk.
    """
    block = volume.block(place)
    magic, own_level, count = struct.unpack_from(">4sHH", block)
    (owner,) = struct.unpack_from(">Q", block, 56)
    if (magic, own_level, owner) != (b"BMA3", level, inode.number) or not 0 < count <= NODE_ROOM:
        raise unreadable(f"the extent tree of inode {inode.number} is damaged")
    if level == 0:
        yield from _split(block[HEADER:], count)
        return
    for pointer in struct.unpack_from(f">{count}Q", block, HEADER + 8 * NODE_ROOM):
        yield from _below(volume, inode, pointer, level - 1)


def _split(data: bytes, count: int) -> Iterator[bytes]:
    yield from (data[at : at + RECORD] for at in range(0, count * RECORD, RECORD))
