"""Extents of a fork, as a list in the inode or as a B+tree."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from bootimg.disk.xfs.layout import BLOCK, EXTENT_TREE, NULL64, even_parts
from bootimg.disk.xfs.volume import Volume

RECORD = 16
LONGEST = (1 << 21) - 1
"""Blocks that one extent can have."""
HEADER = 72
_LEAF_ROOM = (BLOCK - HEADER) // RECORD
NODE_ROOM = _LEAF_ROOM
"""Keys and pointers have 8 bytes each."""


class Extent(NamedTuple):
    """Blocks in a row: their place in the fork, their file system block number, how many they are."""

    offset: int
    start: int
    length: int

    def record(self) -> bytes:
        """The packed form: 1 bit "unwritten" (0), 54 bits offset, 52 bits start, 21 bits length."""
        return (self.offset << 73 | self.start << 21 | self.length).to_bytes(RECORD, "big")


def joined(extents: Sequence[Extent]) -> list[Extent]:
    """The extents with neighbours joined, none longer than the format allows."""
    if len(extents) == 1 and extents[0].length <= LONGEST:
        return list(extents)
    found: list[Extent] = []
    for extent in extents:
        last = found[-1] if found else Extent(0, 0, 0)
        if found and (last.offset + last.length, last.start + last.length) == extent[:2]:
            found[-1] = last._replace(length=last.length + extent.length)
        else:
            found.append(extent)
    return [part for extent in found for part in _short_enough(extent)]


def _short_enough(extent: Extent) -> Iterator[Extent]:
    for at in range(0, extent.length, LONGEST):
        yield Extent(extent.offset + at, extent.start + at, min(LONGEST, extent.length - at))


def tree_blocks(extents: int, fork: int) -> int:
    """Blocks that a tree of so many extents takes beside its root in a fork of `fork` bytes; 0 for a list."""
    if extents * RECORD <= fork:
        return 0
    total, items = 0, extents
    while total == 0 or items > root_room(fork):
        items = -(-items // _LEAF_ROOM)
        total += items
    return total


def root_room(fork: int) -> int:
    """Keys that a tree's root can have in a fork of `fork` bytes."""
    return (fork - 4) // RECORD


def extent_tree(
    volume: Volume, extents: Sequence[Extent], owner: int, fork: int, group: int
) -> tuple[bytes, int]:
    """Write the tree of a fork's extents; returns the root as it lies in the inode, and how many blocks."""
    items = [(struct.pack(">Q", extent.offset), extent.record()) for extent in extents]
    level = used = 0
    while level == 0 or len(items) > root_room(fork):
        items = _level(volume, items, owner, level, group)
        used += len(items)
        level += 1
    return _root(items, level, fork), used


def _level(
    volume: Volume, items: Sequence[tuple[bytes, bytes]], owner: int, level: int, group: int
) -> list[tuple[bytes, bytes]]:
    """Write one level's blocks; returns the first key and the pointer of each."""
    parts = even_parts(len(items), NODE_ROOM)
    places = [volume.take_block(group) for _ in parts]
    for index, part in enumerate(parts):
        left = places[index - 1] if index else NULL64
        right = places[index + 1] if index + 1 < len(parts) else NULL64
        block = bytearray(BLOCK)
        struct.pack_into(">4sHHQQ", block, 0, b"BMA3", level, len(part), left, right)
        _put_items(block, [items[at] for at in part], level)
        volume.metadata.add(places[index], EXTENT_TREE, block, owner)
    return [(items[part[0]][0], struct.pack(">Q", place)) for part, place in zip(parts, places, strict=True)]


def _put_items(block: bytearray, items: Sequence[tuple[bytes, bytes]], level: int) -> None:
    if level == 0:
        records = b"".join(record for _, record in items)
        block[HEADER : HEADER + len(records)] = records
        return
    _put_keys(block, items, HEADER, NODE_ROOM)


def _put_keys(block: bytearray, items: Sequence[tuple[bytes, bytes]], at: int, room: int) -> None:
    """Keys from `at` on; pointers behind the room for all keys."""
    for start, values in zip((at, at + 8 * room), zip(*items, strict=True), strict=True):
        data = b"".join(values)
        block[start : start + len(data)] = data


def _root(items: Sequence[tuple[bytes, bytes]], level: int, fork: int) -> bytes:
    root = bytearray(fork)
    struct.pack_into(">HH", root, 0, level, len(items))
    _put_keys(root, items, 4, root_room(fork))
    return bytes(root)
