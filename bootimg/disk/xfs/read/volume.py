"""The superblock of an XFS on a disk, and bounded reads of the file system.

Only metadata at its final place is read, not the log: the file system must have been unmounted cleanly.
Blocks have 4096 bytes and inodes 512 (the defaults of mkfs.xfs), in version 5 of the format.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from bootimg.disk.extents import Source
from bootimg.disk.xfs.addressing import Addressing
from bootimg.disk.xfs.layout import BLOCK, INODE
from bootimg.disk.xfs.read.errors import unreadable
from bootimg.untrusted.budget import Budget

_SUPERBLOCK = 512
# File types 1, sparse inodes 2, another UUID in the metadata 4, bigtime 8, large extent counters 0x20,
# exchange of ranges 0x40, parent pointers 0x80.  The bits 0x10 (needs repair) and from 0x100 on (metadata
# directory, zoned) are refused.
_KNOWN = 0xEF
_FILE_TYPES, _LARGE_COUNTERS = 0x1, 0x20
_VERSION = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class XfsVolume(Addressing):
    """An XFS from the byte `offset` of a disk on.

    `blocks` and `groups` are counts, `root` is the inode number of the root directory.
    `large_counters` says that inodes count their extents in 64 bits.  What is read of it is charged to
    `budget`: `image-over-budget`.
    """

    source: Source
    offset: int
    blocks: int
    groups: int
    root: int
    large_counters: bool
    budget: Budget = field(default_factory=Budget, compare=False, repr=False)

    def read(self, at: int, length: int) -> bytes:
        """Bytes of the file system; `root-filesystem-unreadable` outside it."""
        if at < 0 or length < 0 or at + length > self.blocks * BLOCK:
            raise unreadable(f"{length} bytes at {at} are after its end")
        return self.source.read(self.offset + at, length)

    def block(self, number: int) -> bytes:
        """The block with a file system block number."""
        self.budget.steps(1, f"the block {number}")
        return self.read(self.extent_address(number, 1), BLOCK)

    def extent_address(self, number: int, length: int) -> int:
        """The byte address of `length` blocks, which must lie in one allocation group."""
        group, within = number >> self.group_bits, number & (1 << self.group_bits) - 1
        address = self.address(number)
        if group >= self.groups or within + length > self.group_blocks:
            raise unreadable(f"{length} blocks at {number} are in no allocation group")
        if address + length * BLOCK > self.blocks * BLOCK:
            raise unreadable(f"{length} blocks at {number} are after its end")
        return address


def open_xfs(source: Source, offset: int, size: int) -> XfsVolume:
    """The XFS that begins at the byte `offset` of a disk and has at most `size` bytes.

    Raises `root-filesystem-unreadable` if it is another file system, damaged, or has unknown features.
    """
    if size < _SUPERBLOCK or offset + size > source.size:
        raise unreadable("the partition is not on the disk")
    superblock = source.read(offset, _SUPERBLOCK)
    _check_features(superblock)
    blocks, realtime = struct.unpack_from(">QQ", superblock, 8)
    group_blocks, groups = struct.unpack_from(">II", superblock, 84)
    group_bits = superblock[124]
    incompatible = _incompatible(superblock)
    if realtime or not 0 < blocks * BLOCK <= size:
        raise unreadable(f"it has {blocks} blocks and {realtime} realtime blocks in {size} bytes")
    if not (0 < group_blocks <= 1 << group_bits <= 1 << 31 and (groups - 1) * group_blocks < blocks):
        raise unreadable(f"it has {groups} allocation groups of {group_blocks} blocks")
    return XfsVolume(
        source=source,
        offset=offset,
        blocks=blocks,
        groups=groups,
        group_blocks=group_blocks,
        group_bits=group_bits,
        root=struct.unpack_from(">Q", superblock, 56)[0],
        large_counters=bool(incompatible & _LARGE_COUNTERS),
    )


def _check_features(superblock: bytes) -> None:
    if superblock[:4] != b"XFSB":
        raise unreadable("it is no XFS")
    block, version, inode = (
        struct.unpack_from(form, superblock, at)[0] for form, at in ((">I", 4), (">H", 100), (">H", 104))
    )
    if (version & 15, block, inode, superblock[192]) != (_VERSION, BLOCK, INODE, 0):
        raise unreadable(f"version {version & 15}, blocks of {block} and inodes of {inode} bytes")
    incompatible = _incompatible(superblock)
    if incompatible & ~_KNOWN or not incompatible & _FILE_TYPES:
        raise unreadable(f"feature bits {incompatible:#x}")


def _incompatible(superblock: bytes) -> int:
    return int(struct.unpack_from(">I", superblock, 216)[0])
