"""Sizes and places that many structures of XFS share.

Source, here and in the modules beside this one: "XFS Algorithms & Data Structures", 3rd edition
(kernel.org/pub/linux/utils/fs/xfs/docs), on-disk format version 5.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

BLOCK = 4096
INODE = 512
CORE = 176
"""Bytes of an inode before its forks."""
LITERAL = INODE - CORE
"""Bytes of an inode for its forks."""
CHUNK = 64
"""Inodes of a chunk."""
CHUNK_BLOCKS = CHUNK * INODE // BLOCK
BASIC = 512
"""The unit of addresses in block headers, for any sector size."""
NULL32 = 0xFFFFFFFF
NULL64 = 0xFFFFFFFFFFFFFFFF


@dataclass(frozen=True, slots=True)
class BlockKind:
    """Where a metadata block keeps its checksum, its own address, the file system's UUID and its owner.

    The owner is an inode number of 64 bits or, where `narrow`, an allocation group's number of 32 bits.
    """

    checksum: int
    address: int
    uuid: int
    owner: int
    narrow: bool = False


DIRECTORY_DATA = BlockKind(4, 8, 24, 40)
HASH_TREE = BlockKind(12, 16, 32, 48)
REMOTE = BlockKind(12, 40, 16, 32)
EXTENT_TREE = BlockKind(64, 24, 40, 56)
GROUP_TREE = BlockKind(52, 16, 32, 48, narrow=True)


def blocks_for(size: int) -> int:
    """Blocks that `size` bytes take."""
    return -(-size // BLOCK)


def even_parts(count: int, room: int) -> list[range]:
    """Indexes of `count` items in as few parts as `room` items a part allow, all about as long."""
    parts = -(-count // room)
    ends = [count * i // parts for i in range(parts + 1)] if parts else [0]
    return [range(start, end) for start, end in pairwise(ends)]
