"""Where the inodes of an EROFS lie: one after the other, their tails inline where they fit a block."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from dataclasses import dataclass

from bootimg.sysroot.composefs.attributes import AttributeTable
from bootimg.sysroot.composefs.directories import BLOCK, blocks_of
from bootimg.sysroot.composefs.tree import Node
from bootimg.sysroot.entries import Xattrs
from bootimg.sysroot.unsupported import NativeUnsupportedError

SLOT = 32
FIRST = 1024 + 128
"""Where the inodes begin: after the superblock."""
COMPACT, EXTENDED = 32, 64
_CHUNK_BITS = 12, 12 + 31


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """An inode at `start`: `size` is its i_size, `attributes` the bytes of attributes after it.

    `tail` bytes follow inline, `blocks` are elsewhere.  `chunk_bits` is not 0 for a file that has content.
    """

    node: Node
    start: int
    size: int
    attributes: int
    blocks: int
    tail: int
    chunk_bits: int
    compact: bool

    @property
    def length(self) -> int:
        """The bytes of the inode itself."""
        return COMPACT if self.compact else EXTENDED

    @property
    def end(self) -> int:
        """Where the next inode may begin."""
        return self.start + self.length + self.attributes + self.tail


def placed(nodes: Sequence[Node], table: AttributeTable) -> list[Placed]:
    """Every inode with its place."""
    sizes: dict[Xattrs, int] = {}
    found = []
    position = FIRST
    for node in nodes:
        if node.attributes not in sizes:
            sizes[node.attributes] = table.size(node.attributes)
        found.append(_place(node, sizes[node.attributes], position))
        position = found[-1].end
    return found


def up(value: int, unit: int) -> int:
    """The next multiple of `unit`."""
    return -(-value // unit) * unit


def _place(node: Node, attributes: int, position: int) -> Placed:
    size, blocks, tail, chunk_bits = _content(node)
    compact = max(node.links, node.uid, node.gid) <= 0xFFFF and size <= 0xFFFFFFFF
    start = up(position, SLOT)
    body = (COMPACT if compact else EXTENDED) + attributes
    if stat.S_ISLNK(node.mode):
        start = _whole_in_block(start, body + tail)
    else:
        start, extra = _tail_in_block(start, body, tail)
        blocks, tail = blocks + extra, 0 if extra else tail
    return Placed(
        node=node,
        start=start,
        size=size,
        attributes=attributes,
        blocks=blocks,
        tail=tail,
        chunk_bits=chunk_bits,
        compact=compact,
    )


def _content(node: Node) -> tuple[int, int, int, int]:
    """i_size, whole blocks, bytes of the tail, bits of a chunk."""
    if node.children is not None:
        parts, used = blocks_of(node)
        blocks, tail = len(parts) - 1, used
        if used > BLOCK // 2:
            blocks, tail = blocks + 1, 0
        return blocks * BLOCK + tail, blocks, tail, 0
    if stat.S_ISLNK(node.mode):
        return len(node.target), 0, len(node.target), 0
    if stat.S_ISREG(node.mode) and node.size:
        low, high = _CHUNK_BITS
        bits = min(max((node.size - 1).bit_length(), low), high)
        return node.size, 0, 4 * -(-node.size // (1 << bits)), bits
    return 0, 0, 0, 0


def _whole_in_block(start: int, length: int) -> int:
    """Where a symlink begins: inode, attributes and target are in one block."""
    if length >= BLOCK:
        raise NativeUnsupportedError("a symlink of the commit fills a block with its attributes")
    crosses = start // BLOCK != (start + length - 1) // BLOCK
    return up(start, BLOCK) if crosses else start


def _tail_in_block(start: int, body: int, tail: int) -> tuple[int, int]:
    """Where an inode begins whose tail must not cross a block, and 1 if the tail gets a block of its own."""
    left = BLOCK - (start + body) % BLOCK
    if left >= tail:
        return start, 0
    extra = up(left, SLOT)
    left = BLOCK - (start + body + extra) % BLOCK
    return (start + extra, 0) if tail <= left else (up(start, BLOCK), 1)
