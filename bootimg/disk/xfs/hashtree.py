"""Hashes of names, and the tree over the leaf blocks that are sorted by them (directories, attributes)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from bootimg.disk.xfs.layout import BLOCK, even_parts

_MASK = 0xFFFFFFFF
_HEADER = 64
ROOM = (BLOCK - _HEADER) // 8
"""Entries of 8 bytes that fit a block after its header."""
_NODE_MAGIC = 0x3EBE


def name_hash(name: bytes) -> int:
    """The hash of a name: 7 bits of shift for each byte, four bytes at a time."""
    value = 0
    whole = len(name) & ~3
    for at in range(0, whole, 4):
        word = name[at] << 21 ^ name[at + 1] << 14 ^ name[at + 2] << 7 ^ name[at + 3]
        value = word ^ (value << 28 | value >> 4) & _MASK
    rest = len(name) - whole
    if rest:
        turn = 7 * rest
        tail = 0
        for byte in name[whole:]:
            tail = tail << 7 ^ byte
        value = tail ^ (value << turn | value >> 32 - turn) & _MASK
    return value


class Hashed(Protocol):
    """What is sorted by a hash."""

    @property
    def hash(self) -> int:
        """The hash of its name."""


def leaf_parts(items: Sequence[Hashed], room: int) -> list[range]:
    """Indexes of sorted items in parts of at most `room`; a run of one hash stays together where it fits.

    Kernels accept a run that continues in the next leaf, but xfs_repair before 6.13 calls it corrupt.
    """
    parts, start = [], 0
    while start < len(items):
        left = len(items) - start
        end = start + -(-left // -(-left // room))
        cut = end
        while start < cut < len(items) and items[cut].hash == items[cut - 1].hash:
            cut -= 1
        end = cut if cut > start else end
        parts.append(range(start, end))
        start = end
    return parts


class TreeBlock(NamedTuple):
    """A block of a hash tree: the highest hash below it, and the children's indexes in the level below."""

    block: bytearray
    last: int
    children: range


def node_levels(leaves: int) -> list[int]:
    """How many blocks each level above so many leaves has, from below."""
    counts = [leaves]
    while counts[-1] > 1:
        counts.append(-(-counts[-1] // ROOM))
    return counts[1:]


def hash_tree(leaves: Sequence[tuple[bytearray, int]], base: int) -> list[bytearray]:
    """The blocks of a tree over leaves (block, highest hash): the root first, at block `base` of the fork."""
    levels = [[TreeBlock(block, last, range(0)) for block, last in leaves]]
    while len(levels[-1]) > 1:
        levels.append(_level(levels[-1], len(levels)))
    starts = _starts([len(level) for level in levels], base)
    for depth, level in enumerate(levels):
        below = levels[depth - 1] if depth else []
        for index, item in enumerate(level):
            _link(item.block, index, len(level), starts[depth])
            _put_children(item, below, starts[depth - 1] if depth else 0)
    return [item.block for level in reversed(levels) for item in level]


def _level(below: Sequence[TreeBlock], depth: int) -> list[TreeBlock]:
    level = []
    for part in even_parts(len(below), ROOM):
        block = bytearray(BLOCK)
        struct.pack_into(">H", block, 8, _NODE_MAGIC)
        struct.pack_into(">HH", block, 56, len(part), depth)
        level.append(TreeBlock(block, below[part[-1]].last, part))
    return level


def _starts(counts: Sequence[int], base: int) -> list[int]:
    """The first block of each level, from below; the levels lie in the fork from the root downwards."""
    starts = []
    for depth in range(len(counts)):
        starts.append(base + sum(counts[depth + 1 :]))
    return starts


def _link(block: bytearray, index: int, count: int, start: int) -> None:
    """Pointers to the neighbours of the same level, forward then back."""
    forward = start + index + 1 if index + 1 < count else 0
    struct.pack_into(">II", block, 0, forward, start + index - 1 if index else 0)


def _put_children(item: TreeBlock, below: Sequence[TreeBlock], start: int) -> None:
    for position, child in enumerate(item.children):
        struct.pack_into(">II", item.block, _HEADER + 8 * position, below[child].last, start + child)
