"""An allocation group as mkfs.xfs left it: its headers and its free space."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from bootimg.disk.xfs.errors import not_fresh, unsupported_feature
from bootimg.disk.xfs.freespace import FreeSpace
from bootimg.disk.xfs.geometry import Geometry, check_sealed, seal
from bootimg.disk.xfs.layout import BLOCK, CHUNK, GROUP_TREE, NULL32
from bootimg.disk.xfs.partition import Partition

_SLACK = 100
"""Blocks of each group that metadata may take beyond what the plan counted."""
_AGF_CHECKSUM, _AGI_CHECKSUM, _AGFL_CHECKSUM = 216, 312, 32
_RECORDS = 56


@dataclass(slots=True)
class Chunk:
    """64 inodes in one piece: the number of the first within the group, and how many are used."""

    first: int
    used: int


@dataclass(frozen=True, slots=True)
class TreeRoot:
    """A tree of the group after filling: its root block, its levels, all its blocks."""

    block: int
    levels: int
    blocks: int


@dataclass(slots=True)
class Group:
    """An allocation group that is being filled; blocks are counted from its start."""

    number: int
    length: int
    agf: bytes
    agi: bytes
    free: FreeSpace
    by_place: int
    by_size: int
    inode_root: int
    free_inode_root: int
    shared_root: int
    pool: int
    """The group's part of the blocks that the kernel sets aside at mount, so that it can always delete."""
    floor: int = 0
    """Free blocks that file contents leave in the group, so that all groups are equally full."""
    chunks: list[Chunk] = field(default_factory=list)
    shared: list[tuple[int, int, int]] = field(default_factory=list)
    """Extents of several files: start, length, number of owners."""

    @property
    def reserve(self) -> int:
        """Blocks that the kernel keeps back, also so that the reference and free inode trees can grow."""
        return self.length // 168 + self.length * 8 // CHUNK // 126 + self.pool

    @property
    def room(self) -> int:
        """Blocks that a plan may count on."""
        return max(0, self.free.blocks - self.reserve - _SLACK)

    @property
    def inodes(self) -> int:
        """All inodes of the group, free ones included."""
        return CHUNK * len(self.chunks)

    @property
    def free_inodes(self) -> int:
        """Inodes of the group's chunks that no file uses."""
        return self.inodes - sum(chunk.used for chunk in self.chunks)

    @property
    def free_blocks(self) -> int:
        """The group's part of the superblock's counter; the free list counts too."""
        return self.free.blocks + int(struct.unpack_from(">I", self.agf, 48)[0])

    def headers(self, inode: TreeRoot, free_inode: TreeRoot, shared: TreeRoot) -> bytes:
        """AGF and AGI, two sectors in a row, for the group's present state."""
        agf, agi = bytearray(self.agf), bytearray(self.agi)
        struct.pack_into(">II", agf, 52, self.free.blocks, self.free.largest)
        struct.pack_into(">III", agf, 84, shared.blocks, shared.block, shared.levels)
        newest = self.chunks[-1].first if self.chunks else NULL32
        counters = (self.inodes, inode.block, inode.levels, self.free_inodes, newest)
        struct.pack_into(">5I", agi, 16, *counters)
        roots = (free_inode.block, free_inode.levels, inode.blocks, free_inode.blocks)
        struct.pack_into(">4I", agi, 328, *roots)
        return seal(agf, _AGF_CHECKSUM) + seal(agi, _AGI_CHECKSUM)


def read_group(partition: Partition, geometry: Geometry, number: int) -> Group:
    """Read a group's headers and free space; `xfs-not-fresh` where anything but mkfs.xfs wrote to it."""
    start, sector = number * geometry.group_blocks * BLOCK, geometry.sector
    agf, agi, agfl = (partition.read(start + at * sector, sector) for at in (1, 2, 3))
    check_sealed(agf, _AGF_CHECKSUM, b"XAGF")
    check_sealed(agi, _AGI_CHECKSUM, b"XAGI")
    check_sealed(agfl, _AGFL_CHECKSUM, b"XAFL")
    length, by_place, by_size = struct.unpack_from(">3I", agf, 12)
    _check_fresh(agf, agi, number)
    free = _read_free(partition.read(start + by_place * BLOCK, BLOCK))
    if free.blocks != struct.unpack_from(">I", agf, 52)[0]:
        raise not_fresh("the free space does not add up")
    return Group(
        number=number,
        length=length,
        agf=agf,
        agi=agi,
        free=free,
        by_place=by_place,
        by_size=by_size,
        inode_root=struct.unpack_from(">I", agi, 20)[0],
        free_inode_root=struct.unpack_from(">I", agi, 328)[0],
        pool=geometry.reserve_pool // geometry.group_count,
        shared_root=struct.unpack_from(">I", agf, 88)[0],
    )


def _check_fresh(agf: bytes, agi: bytes, number: int) -> None:
    """Every tree has one block, and only the first group has inodes: the root and two more."""
    place_level, size_level = struct.unpack_from(">2I", agf, 28)
    tree_blocks, shared_level = struct.unpack_from(">I", agf, 60)[0], struct.unpack_from(">I", agf, 92)[0]
    inodes, _, inode_level, free = struct.unpack_from(">4I", agi, 16)
    (free_level,) = struct.unpack_from(">I", agi, 332)
    if (inodes, free) != ((CHUNK, CHUNK - 3) if number == 0 else (0, 0)):
        raise not_fresh("it has files")
    if (place_level, size_level, shared_level, inode_level, free_level, tree_blocks) != (1, 1, 1, 1, 1, 0):
        raise unsupported_feature("an allocation group starts with a tree of several levels")


def _read_free(block: bytes) -> FreeSpace:
    check_sealed(block, GROUP_TREE.checksum, b"AB3B")
    (count,) = struct.unpack_from(">H", block, 6)
    if count > (BLOCK - _RECORDS) // 8:
        raise not_fresh("the free space does not add up")
    return FreeSpace(struct.unpack_from(">II", block, _RECORDS + 8 * index) for index in range(count))
