"""Directories of an EROFS: blocks of entries, names in the order of their bytes, `.` and `..` among them."""

from __future__ import annotations

import stat
import struct
from collections.abc import Mapping, Sequence

from bootimg.sysroot.composefs.tree import Node

BLOCK = 4096
_ENTRY = 12
_TYPES = {stat.S_IFREG: 1, stat.S_IFDIR: 2, stat.S_IFCHR: 3, stat.S_IFLNK: 7}
Named = tuple[bytes, Node]


def blocks_of(node: Node) -> tuple[list[list[Named]], int]:
    """The entries of a directory, cut where blocks are full, and the bytes in the last block."""
    assert node.children is not None
    names = sorted(
        [*node.children.items(), (b".", node), (b"..", node.parent or node)], key=lambda item: item[0]
    )
    blocks: list[list[Named]] = [[]]
    used = 0
    for name, child in names:
        if used + _ENTRY + len(name) > BLOCK:
            blocks.append([])
            used = 0
        blocks[-1].append((name, child))
        used += _ENTRY + len(name)
    return blocks, used


def block_bytes(block: Sequence[Named], nids: Mapping[int, int]) -> bytes:
    """A block: fixed-size entries, then the names; `nids` are the inodes' places by their number."""
    offset = _ENTRY * len(block)
    head = bytearray()
    for name, child in block:
        head += struct.pack("<QHBB", nids[child.number], offset, _TYPES[stat.S_IFMT(child.mode)], 0)
        offset += len(name)
    return bytes(head) + b"".join(name for name, _ in block)
