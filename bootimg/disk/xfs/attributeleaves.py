"""Extended attributes outside the inode: leaf blocks, a tree over them, and blocks of remote values."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from bootimg.disk.xfs.attributes import Attribute
from bootimg.disk.xfs.hashtree import hash_tree, node_levels
from bootimg.disk.xfs.layout import BLOCK, HASH_TREE, NULL64, REMOTE, BlockKind

_HEADER = 80
_ENTRY = 8
_MAGIC = 0x3BEE
_LOCAL_LIMIT = BLOCK * 3 // 4
_LOCAL = 1
_REMOTE_HEADER = 56
_REMOTE_ROOM = BLOCK - _REMOTE_HEADER
# Nine bytes lie before the name of a remote attribute, but the format counts eleven.
_LOCAL_EXTRA, _REMOTE_EXTRA = 3, 11


class _Item(NamedTuple):
    """An attribute and the bytes that its name (and value, where local) takes in a leaf."""

    attribute: Attribute
    size: int
    local: bool

    @property
    def hash(self) -> int:
        return self.attribute.hash


def _item(attribute: Attribute) -> _Item:
    local = _LOCAL_EXTRA + len(attribute.name) + len(attribute.value) + 3 & ~3
    if local < _LOCAL_LIMIT:
        return _Item(attribute, local, True)
    return _Item(attribute, _REMOTE_EXTRA + len(attribute.name) + 3 & ~3, False)


def block_count(attributes: Sequence[Attribute]) -> int:
    """Blocks that attributes outside the inode take."""
    leaves = _leaves([_item(each) for each in attributes])
    remote = sum(_remote_blocks(item) for leaf in leaves for item in leaf)
    return len(leaves) + sum(node_levels(len(leaves))) + remote


def long_form(attributes: Sequence[Attribute]) -> list[tuple[BlockKind, bytearray]]:
    """The blocks of the attribute fork from 0 on; remote values lie behind the tree."""
    leaves = _leaves([_item(each) for each in attributes])
    place = len(leaves) + sum(node_levels(len(leaves)))
    blocks, remote = [], list[bytearray]()
    for leaf in leaves:
        blocks.append((_leaf_block(leaf, place + len(remote)), leaf[-1].hash))
        remote += (block for item in leaf if not item.local for block in _remote_value(item.attribute.value))
    return [
        *((HASH_TREE, block) for block in hash_tree(blocks, 0)),
        *((REMOTE, block) for block in remote),
    ]


def _leaves(items: Sequence[_Item]) -> list[list[_Item]]:
    """Items in leaves, filled one after the other; names of one hash go together where they fit."""
    leaves: list[list[_Item]] = [[]]
    for item in items:
        if not _fits(leaves[-1], item):
            moved = _same_hash_tail(leaves[-1], item)
            leaves.append(moved)
            if not _fits(moved, item):
                leaves.append([])
        leaves[-1].append(item)
    return leaves


def _fits(leaf: Sequence[_Item], item: _Item) -> bool:
    return _HEADER + sum(each.size + _ENTRY for each in (*leaf, item)) <= BLOCK


def _same_hash_tail(leaf: list[_Item], item: _Item) -> list[_Item]:
    """Remove and return the leaf's last items that have the hash of `item`, unless all have it."""
    cut = len(leaf)
    while cut and leaf[cut - 1].hash == item.hash:
        cut -= 1
    tail = leaf[cut:] if cut else []
    del leaf[len(leaf) - len(tail) :]
    return tail


def _leaf_block(leaf: Sequence[_Item], remote: int) -> bytearray:
    """A leaf; its first remote value lies at the block `remote` of the fork."""
    block = bytearray(BLOCK)
    at = BLOCK
    for index, item in enumerate(leaf):
        at -= item.size
        flags = item.attribute.namespace | (_LOCAL if item.local else 0)
        struct.pack_into(">IHBB", block, _HEADER + _ENTRY * index, item.hash, at, flags, 0)
        _put_name(block, at, item, remote)
        remote += _remote_blocks(item)
    _put_header(block, len(leaf), at)
    return block


def _put_header(block: bytearray, count: int, first: int) -> None:
    """Number of entries, bytes in use and the lowest of them, no holes; then the one free region."""
    end = _HEADER + _ENTRY * count
    struct.pack_into(">H", block, 8, _MAGIC)
    struct.pack_into(">HHHBB", block, 56, count, BLOCK - first, first, 0, 0)
    struct.pack_into(">HH", block, 64, end if first > end else 0, first - end)


def _put_name(block: bytearray, at: int, item: _Item, remote: int) -> None:
    _, name, _, value = item.attribute
    if item.local:
        data = struct.pack(">HB", len(value), len(name)) + name + value
    else:
        data = struct.pack(">IIB", remote, len(value), len(name)) + name
    block[at : at + len(data)] = data


def _remote_blocks(item: _Item) -> int:
    return 0 if item.local else -(-len(item.attribute.value) // _REMOTE_ROOM)


def _remote_value(value: bytes) -> Iterator[bytearray]:
    """Blocks of a remote value; they are never logged, so their log sequence number is the null one."""
    for offset in range(0, len(value), _REMOTE_ROOM):
        part = value[offset : offset + _REMOTE_ROOM]
        block = bytearray(BLOCK)
        struct.pack_into(">4sII", block, 0, b"XARM", offset, len(part))
        struct.pack_into(">Q", block, 48, NULL64)
        block[_REMOTE_HEADER : _REMOTE_HEADER + len(part)] = part
        yield block
