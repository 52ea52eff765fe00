"""Directories: inside the inode (short form), in one block, or in data blocks with an index."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from bootimg.disk.xfs.hashtree import name_hash
from bootimg.disk.xfs.layout import BLOCK, DIRECTORY_DATA, NULL32, BlockKind

HEADER = 64
"""Bytes of a data block before its entries."""
_FREE_TAG = 0xFFFF
_FIRST_OFFSET = 0x60
"""The offset of the first name in a block with the entries `.` and `..`."""
_DIRECTORY = 2
"""The file type of a directory in its entries."""


class Name(NamedTuple):
    """An entry of a directory: the name, its inode's number, its type."""

    name: bytes
    inode: int
    type: int


class Leaf(NamedTuple):
    """An entry of the index: the name's hash, and its place in units of 8 bytes."""

    hash: int
    address: int


class Part(NamedTuple):
    """Blocks in a row at the block `offset` of a fork."""

    offset: int
    kind: BlockKind
    blocks: list[bytearray]

    def placed(self) -> Iterator[tuple[int, BlockKind, bytearray]]:
        """Each block with its place in the fork and its kind."""
        for at, block in enumerate(self.blocks):
            yield self.offset + at, self.kind, block


def entry_size(length: int) -> int:
    """Bytes of an entry in a block: inode 8, length 1, name, type 1, tag 2, in units of 8."""
    return length + 19 & ~7


def fits_inode(lengths: Sequence[int], room: int, *, wide: bool) -> bool:
    """Whether the short form of names with these lengths takes at most `room` bytes.

    Inode numbers have 8 bytes where one of them is `wide`, else 4.
    """
    width = 8 if wide else 4
    # The first test is cheap, and false of every large directory.
    return len(lengths) * width <= room and 2 + width + sum(lengths) + (4 + width) * len(lengths) <= room


def wide_numbers(names: Iterable[Name], parent: int) -> int:
    """How many of the inode numbers in a directory need 8 bytes."""
    return sum(number > NULL32 for number in (parent, *(name.inode for name in names)))


def short_form(names: Sequence[Name], parent: int) -> bytes:
    """The directory as it lies in its inode: numbers have 8 bytes where one of them needs them."""
    wide = wide_numbers(names, parent)
    number = struct.Struct(">Q" if wide else ">I")
    parts = [struct.pack(">BB", len(names), wide), number.pack(parent)]
    offset = _FIRST_OFFSET
    for name, inode, kind in names:
        parts += (struct.pack(">BH", len(name), offset), name, bytes((kind,)), number.pack(inode))
        offset += entry_size(len(name))
    return b"".join(parts)


def with_dots(names: Iterable[Name], own: int, parent: int) -> Iterator[Name]:
    """The entries of a directory outside its inode."""
    yield Name(b".", own, _DIRECTORY)
    yield Name(b"..", parent, _DIRECTORY)
    yield from names


def dotted_lengths(lengths: Iterable[int]) -> list[int]:
    """The lengths of the names with `.` and `..` before them."""
    return [1, 2, *lengths]


def fits_block(lengths: Sequence[int]) -> bool:
    """Whether entries and index fit one block; `lengths` counts `.` and `..`."""
    return HEADER + sum(entry_size(length) + 8 for length in lengths) + 8 <= BLOCK


def block_form(names: Sequence[Name]) -> Part:
    """The directory in one block: entries from the front, the index at the end."""
    block = bytearray(BLOCK)
    block[:4] = b"XDB3"
    leaves, at = _put_names(block, names, 0)
    end = BLOCK - 8 - 8 * len(names)
    _put_free(block, at, end)
    for index, leaf in enumerate(sorted(leaves)):
        struct.pack_into(">II", block, end + 8 * index, *leaf)
    struct.pack_into(">II", block, BLOCK - 8, len(leaves), 0)
    return Part(0, DIRECTORY_DATA, [block])


def data_parts(lengths: Sequence[int]) -> list[range]:
    """Which names go to which data block, in order."""
    parts, start, at = [], 0, HEADER
    for index, length in enumerate(lengths):
        size = entry_size(length)
        if at + size > BLOCK:
            parts.append(range(start, index))
            start, at = index, HEADER
        at += size
    return [*parts, range(start, len(lengths))]


def data_blocks(names: Sequence[Name]) -> tuple[Part, list[Leaf], list[int]]:
    """The data blocks, the index entries sorted, and each block's free bytes."""
    blocks, leaves, free = [], list[Leaf](), []
    for number, part in enumerate(data_parts([len(name.name) for name in names])):
        block = bytearray(BLOCK)
        block[:4] = b"XDD3"
        found, at = _put_names(block, names[part.start : part.stop], number)
        _put_free(block, at, BLOCK)
        blocks.append(block)
        leaves += found
        free.append(BLOCK - at)
    return Part(0, DIRECTORY_DATA, blocks), sorted(leaves), free


def _put_names(block: bytearray, names: Sequence[Name], number: int) -> tuple[list[Leaf], int]:
    """Put entries into data block `number`; returns their index entries and where they end."""
    at, leaves = HEADER, []
    for name, inode, kind in names:
        size, end = entry_size(len(name)), at + 9 + len(name)
        struct.pack_into(">QB", block, at, inode, len(name))
        block[at + 9 : end] = name
        block[end] = kind
        struct.pack_into(">H", block, at + size - 2, at)
        leaves.append(Leaf(name_hash(name), number * BLOCK + at >> 3))
        at += size
    return leaves, at


def _put_free(block: bytearray, start: int, end: int) -> None:
    """Mark the one free region of a block, at its place and in the header."""
    if start < end:
        struct.pack_into(">HH", block, start, _FREE_TAG, end - start)
        struct.pack_into(">H", block, end - 2, start)
        struct.pack_into(">HH", block, 48, start, end - start)
