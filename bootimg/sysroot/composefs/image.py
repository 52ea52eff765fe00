"""The bytes of a composefs image.  Nothing in it is random: inodes have no times, the superblock no UUID."""

from __future__ import annotations

import stat
import struct
from collections.abc import Sequence

from bootimg.sysroot.commit import Commit
from bootimg.sysroot.composefs.attributes import AttributeTable, count_field
from bootimg.sysroot.composefs.directories import BLOCK, block_bytes, blocks_of
from bootimg.sysroot.composefs.layout import FIRST, SLOT, Placed, placed, up
from bootimg.sysroot.composefs.tree import Node, commit_nodes, finished
from bootimg.sysroot.entries import Xattrs

_COMPOSEFS, _EROFS = 0xD078629A, 0xE0F5E1E2
_SUPERBLOCK = 1024
_FEATURE_MTIME_FILTER = 6
# Data layouts of an inode: plain blocks, an inline tail, chunks.
_PLAIN, _INLINE, _CHUNKED = 0, 2, 4
_NULL = b"\xff"


def composefs_image(commit: Commit) -> bytes:
    """The image of a commit."""
    return image_of(commit_nodes(commit))


def image_of(root: Node) -> bytes:
    """The image of a tree, to which the root's whiteouts are added."""
    nodes = finished(root)
    table = AttributeTable(node.attributes for node in nodes)
    return _Writer(placed(nodes, table), table).image()


class _Writer:
    def __init__(self, inodes: Sequence[Placed], table: AttributeTable) -> None:
        self._inodes = inodes
        self._table = table
        self._nids = {each.node.number: each.start // SLOT for each in inodes}
        self._shared = up(inodes[-1].end, SLOT)
        start = up(self._shared + len(table.shared), BLOCK)
        self._out = bytearray(start)
        self._blocks: list[bytes] = []
        self._end = start
        self._bodies: dict[Xattrs, bytes] = {}

    def image(self) -> bytes:
        for each in self._inodes:
            self._inode(each)
        self._put(self._shared, self._table.shared)
        self._put(0, struct.pack("<4I", _COMPOSEFS, 1, self._table.has_acl, 0))
        self._put(_SUPERBLOCK, self._superblock())
        return bytes(self._out) + b"".join(self._blocks)

    def _superblock(self) -> bytes:
        return struct.pack(
            "<IIIBBHQQIIII", _EROFS, 0, _FEATURE_MTIME_FILTER, BLOCK.bit_length() - 1, 0, self._nids[0],
            len(self._inodes), 0, 0, self._end // BLOCK, FIRST // BLOCK, self._shared // BLOCK,
        )  # fmt: skip

    def _inode(self, each: Placed) -> None:
        body = self._body(each.node.attributes)
        self._put(each.start, _header(each, len(body), self._place(each)))
        self._put(each.start + each.length, body)
        self._content(each, each.start + each.length + len(body))

    def _body(self, attributes: Xattrs) -> bytes:
        if attributes not in self._bodies:
            self._bodies[attributes] = self._table.body(attributes, self._shared % BLOCK)
        return self._bodies[attributes]

    def _place(self, each: Placed) -> int:
        """The field that says where content is: the chunks' format, or the first block."""
        first = self._end // BLOCK
        self._end += BLOCK * each.blocks
        if each.chunk_bits:
            return each.chunk_bits - (BLOCK.bit_length() - 1)
        return first if each.blocks else 0

    def _content(self, each: Placed, position: int) -> None:
        if each.node.children is not None:
            self._directory(each, position)
        elif stat.S_ISLNK(each.node.mode):
            self._put(position, each.node.target)
        elif each.tail:
            # Chunks without a place: the content is in the object.
            self._put(position, _NULL * each.tail)
        elif each.blocks:
            self._blocks.append(_NULL * BLOCK)

    def _directory(self, each: Placed, position: int) -> None:
        parts, _ = blocks_of(each.node)
        if each.tail:
            self._put(position, block_bytes(parts.pop(), self._nids))
        for part in parts:
            data = block_bytes(part, self._nids)
            self._blocks.append(data + bytes(BLOCK - len(data)))

    def _put(self, position: int, data: bytes) -> None:
        self._out[position : position + len(data)] = data


def _header(each: Placed, body: int, place: int) -> bytes:
    node = each.node
    layout = _CHUNKED if each.chunk_bits else _INLINE if each.tail else _PLAIN
    layout = layout << 1 | (not each.compact)
    if each.compact:
        return struct.pack(
            "<HHHHIIIIHHI", layout, count_field(body), node.mode, node.links, each.size, 0, place,
            node.number, node.uid, node.gid, 0,
        )  # fmt: skip
    return struct.pack(
        "<HHHHQIIIIQII16x", layout, count_field(body), node.mode, 0, each.size, place, node.number,
        node.uid, node.gid, 0, 0, node.links,
    )  # fmt: skip
