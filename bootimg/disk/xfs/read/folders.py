"""Directories: the names in them, and the inode of a path."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping

from bootimg.disk.xfs.directory import HEADER, entry_size
from bootimg.disk.xfs.inode import Format
from bootimg.disk.xfs.layout import BLOCK
from bootimg.disk.xfs.read.errors import unreadable
from bootimg.disk.xfs.read.extents import written_extents
from bootimg.disk.xfs.read.inodes import Inode, read_inode
from bootimg.disk.xfs.read.volume import XfsVolume

_FREE = 0xFFFF
_INDEX = (1 << 35) // BLOCK
"""The block of a directory's fork from which on it has the index, not names."""


def find_folder(volume: XfsVolume, path: bytes) -> Inode:
    """The directory with this path, without symbolic links; `root-filesystem-unreadable` if there is none."""
    folder = read_inode(volume, volume.root)
    for name in path.split(b"/"):
        number = names(volume, folder).get(name)
        if number is None:
            raise unreadable(f"it has no /{path.decode(errors='replace')}")
        folder = read_inode(volume, number)
    return folder


def names(volume: XfsVolume, folder: Inode) -> Mapping[bytes, int]:
    """The names in a directory and their inode numbers, without `.` and `..`."""
    if not folder.is_folder:
        raise unreadable(f"inode {folder.number} is no directory")
    try:
        listed = _short_form(folder) if folder.format == Format.INLINE else _blocks(volume, folder)
        found = {}
        for name, number in listed:
            volume.budget.name(len(name), f"the directory {folder.number}")
            found[name] = number
    except struct.error:
        raise unreadable(f"directory {folder.number} is damaged") from None
    return {name: number for name, number in found.items() if name not in (b".", b"..")}


def _short_form(folder: Inode) -> Iterator[tuple[bytes, int]]:
    count, wide = struct.unpack_from(">BB", folder.fork)
    number = struct.Struct(">Q" if wide else ">I")
    at = 2 + number.size
    for _ in range(count):
        (length,) = struct.unpack_from(">B", folder.fork, at)
        # After the length: a tag of two bytes, the name, its type.
        end = at + 3 + length
        yield folder.fork[at + 3 : end], number.unpack_from(folder.fork, end + 1)[0]
        at = end + 1 + number.size


def _blocks(volume: XfsVolume, folder: Inode) -> Iterator[tuple[bytes, int]]:
    for extent in written_extents(volume, folder):
        for each in range(extent.length if extent.offset < _INDEX else 0):
            yield from _block(volume.block(extent.start + each), folder)


def _block(block: bytes, folder: Inode) -> Iterator[tuple[bytes, int]]:
    magic, (owner,) = block[:4], struct.unpack_from(">Q", block, 40)
    if magic not in (b"XDB3", b"XDD3") or owner != folder.number:
        raise unreadable(f"directory {folder.number} is damaged")
    # A directory of one block ends with its index: 8 bytes an entry, then their count.
    end = BLOCK - 8 - 8 * struct.unpack_from(">I", block, BLOCK - 8)[0] if magic == b"XDB3" else BLOCK
    if end < HEADER:
        raise unreadable(f"directory {folder.number} is damaged")
    at = HEADER
    while at < end:
        tag, free = struct.unpack_from(">HH", block, at)
        if tag == _FREE:
            at += max(8, free)
            continue
        number, length = struct.unpack_from(">QB", block, at)
        if not length or at + entry_size(length) > end:
            raise unreadable(f"directory {folder.number} is damaged")
        yield block[at + 9 : at + 9 + length], number
        at += entry_size(length)
