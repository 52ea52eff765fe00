"""The index of a directory that has several data blocks: one leaf block, or a tree and free space blocks."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from bootimg.disk.xfs.directory import (
    Leaf,
    Name,
    Part,
    block_form,
    data_blocks,
    data_parts,
    dotted_lengths,
    fits_block,
)
from bootimg.disk.xfs.hashtree import ROOM, hash_tree, leaf_parts, name_hash, node_levels
from bootimg.disk.xfs.layout import BLOCK, DIRECTORY_DATA, HASH_TREE

LEAF_OFFSET = (1 << 35) // BLOCK
"""The block of the fork where the index starts."""
FREE_OFFSET = (1 << 36) // BLOCK
"""The block of the fork where the free space blocks start."""
_HEADER = 64
_FREE_ROOM = (BLOCK - _HEADER) // 2
_ONE_LEAF, _LEAF = 0x3DF1, 0x3DFF


def long_form(names: Sequence[Name]) -> tuple[list[Part], int]:
    """The blocks of a directory outside its inode, and its size; `names` has `.` and `..`."""
    if fits_block([len(name.name) for name in names]):
        return [block_form(names)], BLOCK
    data, leaves, free = data_blocks(names)
    parts = [data, *(_one_leaf(leaves, free) or _tree(leaves, free))]
    return parts, len(data.blocks) * BLOCK


def block_count(names: Sequence[bytes]) -> int:
    """Blocks that a directory of these names (without the dots) takes outside its inode."""
    lengths = dotted_lengths(len(name) for name in names)
    if fits_block(lengths):
        return 1
    data = len(data_parts(lengths))
    if _fits_leaf(len(lengths), data):
        return data + 1
    hashes = sorted(Leaf(name_hash(name), 0) for name in (b".", b"..", *names))
    leaves = len(leaf_parts(hashes, ROOM))
    return data + leaves + sum(node_levels(leaves)) + -(-data // _FREE_ROOM)


def _fits_leaf(names: int, data: int) -> bool:
    return _HEADER + 8 * names + 2 * data + 4 <= BLOCK


def _one_leaf(leaves: Sequence[Leaf], free: Sequence[int]) -> list[Part]:
    """The leaf form: the index and each data block's free bytes in one block; empty where they do not fit."""
    if not _fits_leaf(len(leaves), len(free)):
        return []
    block = _leaf_block(_ONE_LEAF, leaves)
    struct.pack_into(f">{len(free)}H", block, BLOCK - 4 - 2 * len(free), *free)
    struct.pack_into(">I", block, BLOCK - 4, len(free))
    return [Part(LEAF_OFFSET, HASH_TREE, [block])]


def _tree(leaves: Sequence[Leaf], free: Sequence[int]) -> list[Part]:
    """The node form: a tree of leaf blocks, and blocks with the data blocks' free bytes."""
    blocks = []
    for part in leaf_parts(leaves, ROOM):
        own = leaves[part.start : part.stop]
        blocks.append((_leaf_block(_LEAF, own), own[-1].hash))
    starts = range(0, len(free), _FREE_ROOM)
    return [
        Part(LEAF_OFFSET, HASH_TREE, hash_tree(blocks, LEAF_OFFSET)),
        Part(FREE_OFFSET, DIRECTORY_DATA, [_free_block(free[at : at + _FREE_ROOM], at) for at in starts]),
    ]


def _leaf_block(magic: int, leaves: Sequence[Leaf]) -> bytearray:
    block = bytearray(BLOCK)
    struct.pack_into(">H", block, 8, magic)
    struct.pack_into(">HH", block, 56, len(leaves), 0)
    for index, leaf in enumerate(leaves):
        struct.pack_into(">II", block, _HEADER + 8 * index, *leaf)
    return block


def _free_block(free: Sequence[int], first: int) -> bytearray:
    block = bytearray(BLOCK)
    block[:4] = b"XDF3"
    struct.pack_into(">III", block, 48, first, len(free), len(free))
    struct.pack_into(f">{len(free)}H", block, _HEADER, *free)
    return block
