"""The B+trees of an allocation group, built from all their records at once."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from bootimg.disk.xfs.errors import unsupported_feature
from bootimg.disk.xfs.group import Group, TreeRoot
from bootimg.disk.xfs.layout import BLOCK, NULL32, even_parts
from bootimg.disk.xfs.volume import Volume

_HEADER = 56
_POINTER = 4
KEY = 4
"""Bytes of a key of the inode and reference count trees, whose records begin with it."""


def group_tree(volume: Volume, group: Group, magic: bytes, records: Sequence[bytes], root: int) -> TreeRoot:
    """Write a tree of sorted records of one size, with keys of `KEY` bytes.

    The first block of the tree is `root`, which mkfs.xfs made; more blocks come from the group.
    """
    spare = [root]
    items = [(record[:KEY], record) for record in records]
    room = (BLOCK - _HEADER) // (len(records[0]) if records else KEY)
    level = used = 0
    while True:
        places, items = _level(volume, group, magic, items, level, room, spare)
        used += len(places)
        level += 1
        if len(places) == 1:
            return TreeRoot(places[0], level, used)
        room = (BLOCK - _HEADER) // (KEY + _POINTER)


def _level(
    volume: Volume,
    group: Group,
    magic: bytes,
    items: Sequence[tuple[bytes, bytes]],
    level: int,
    room: int,
    spare: list[int],
) -> tuple[list[int], list[tuple[bytes, bytes]]]:
    """Write one level's blocks; returns their places, and the first key and the pointer of each."""
    parts = even_parts(len(items), room) or [range(0)]
    places = [spare.pop() if spare else volume.take_in_group(group) for _ in parts]
    for index, part in enumerate(parts):
        left = places[index - 1] if index else NULL32
        right = places[index + 1] if index + 1 < len(parts) else NULL32
        values = [items[at] for at in part]
        block = bytearray(BLOCK)
        struct.pack_into(">4sHHII", block, 0, magic, level, len(part), left, right)
        _put(block, _HEADER, [record if level == 0 else key for key, record in values])
        if level:
            _put(block, _HEADER + room * KEY, [pointer for _, pointer in values])
        volume.add_group_block(group, places[index], block)
    heads = [items[part[0]][0] if part else b"" for part in parts]
    return places, [(head, struct.pack(">I", place)) for head, place in zip(heads, places, strict=True)]


def _put(block: bytearray, at: int, values: Sequence[bytes]) -> None:
    data = b"".join(values)
    block[at : at + len(data)] = data


def free_space_trees(volume: Volume, group: Group) -> None:
    """Write the two trees of free space, by place and by size, which have one block each."""
    pieces = group.free.pieces
    if len(pieces) > (BLOCK - _HEADER) // 8:
        raise unsupported_feature("the free space is in too many pieces")
    by_size = sorted(pieces, key=lambda piece: (piece[1], piece[0]))
    for magic, place, order in ((b"AB3B", group.by_place, pieces), (b"AB3C", group.by_size, by_size)):
        block = bytearray(BLOCK)
        struct.pack_into(">4sHHII", block, 0, magic, 0, len(order), NULL32, NULL32)
        _put(block, _HEADER, [struct.pack(">II", *piece) for piece in order])
        volume.add_group_block(group, place, block)


def inode_trees(volume: Volume, group: Group) -> tuple[TreeRoot, TreeRoot]:
    """Write the tree of all inode chunks and the one of chunks with free inodes."""
    records, with_free = [], []
    for chunk in sorted(group.chunks, key=lambda chunk: chunk.first):
        free = 64 - chunk.used
        mask = (1 << free) - 1 << chunk.used
        record = struct.pack(">IHBBQ", chunk.first, 0, 64, free, mask)
        records.append(record)
        if free:
            with_free.append(record)
    return (
        group_tree(volume, group, b"IAB3", records, group.inode_root),
        group_tree(volume, group, b"FIB3", with_free, group.free_inode_root),
    )


def shared_tree(volume: Volume, group: Group) -> TreeRoot:
    """Write the tree of extents that several files share; neighbours with the same owners are one record."""
    merged: list[list[int]] = []
    for start, length, owners in sorted(group.shared):
        if merged and merged[-1][0] + merged[-1][1] == start and merged[-1][2] == owners:
            merged[-1][1] += length
        else:
            merged.append([start, length, owners])
    records = [struct.pack(">III", *record) for record in merged]
    return group_tree(volume, group, b"R3FC", records, group.shared_root)
