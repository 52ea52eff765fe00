"""The records of inodes, version 3."""

from __future__ import annotations

import stat
import struct
from enum import IntEnum
from typing import NamedTuple

from bootimg.disk.filetree import Kind
from bootimg.disk.xfs.layout import CORE, INODE, NULL32
from bootimg.disk.xfs.tree import Inode

_CORE = struct.Struct(">HHBBHIIIHHQQQQQQIIHBbIHHIIIQQQI12xQQ16s")
_MAGIC, _VERSION = 0x494E, 3
_EPOCH = (1 << 31) * 10**9
"""Times count nanoseconds from 1901 on."""
_IMMUTABLE = 0x08
_SHARED, _BIGTIME = 0x02, 0x08
_MODES = {
    Kind.FILE: stat.S_IFREG,
    Kind.DIRECTORY: stat.S_IFDIR,
    Kind.SYMLINK: stat.S_IFLNK,
    Kind.CHARACTER_DEVICE: stat.S_IFCHR,
    Kind.BLOCK_DEVICE: stat.S_IFBLK,
    Kind.FIFO: stat.S_IFIFO,
    Kind.SOCKET: stat.S_IFSOCK,
}


class Format(IntEnum):
    """How a fork keeps its content."""

    DEVICE = 0
    INLINE = 1
    EXTENTS = 2
    TREE = 3


class Fork(NamedTuple):
    """A fork as it lies in the inode, the number of its extents and of its blocks."""

    format: Format = Format.EXTENTS
    data: bytes = b""
    extents: int = 0
    blocks: int = 0


class Forks(NamedTuple):
    """Both forks of an inode; the attribute fork starts after `data_size` bytes, if there is one."""

    size: int
    data: Fork
    attributes: Fork | None = None
    data_size: int = 0


def disk_time(nanoseconds: int) -> int:
    """A time since 1970 as the disk has it."""
    return nanoseconds + _EPOCH


def inode_record(inode: Inode, forks: Forks, now: int, uuid: bytes) -> bytes:
    """The record of an inode that a file uses; `now` is the time of its making in nanoseconds."""
    node, attributes = inode.node, forks.attributes or Fork()
    mtime, made = disk_time(node.mtime), disk_time(now)
    core = _CORE.pack(
        *(_MAGIC, _MODES[node.kind] | node.mode & 0o7777, _VERSION, forks.data.format, 0),
        *(node.uid, node.gid, inode.links, 0, 0, 0),
        *(mtime, mtime, made, forks.size, forks.data.blocks + attributes.blocks, 0),
        *(forks.data.extents, attributes.extents, forks.data_size // 8, attributes.format, 0, 0),
        *(_IMMUTABLE if node.immutable else 0, 0, NULL32, 0, 1, 0, _flags(inode), 0),
        *(made, inode.number, uuid),
    )
    data = forks.data.data.ljust(forks.data_size, b"\0") + attributes.data
    assert len(data) <= INODE - CORE
    return (core + data).ljust(INODE, b"\0")


def _flags(inode: Inode) -> int:
    owner = inode.shares or inode
    return _BIGTIME | (_SHARED if owner.owners > 1 and owner.extents else 0)


def free_inode(number: int, uuid: bytes) -> bytes:
    """The record of an inode that no file uses."""
    fields = [_MAGIC, 0, _VERSION, *(0,) * 22, NULL32, *(0,) * 6, number, uuid]
    return _CORE.pack(*fields).ljust(INODE, b"\0")


def settled_realtime_inode(record: bytes, now: int) -> bytes:
    """One of mkfs.xfs's own inodes without what differs between two runs: generation and times."""
    changed = bytearray(record)
    changed[92:96] = bytes(4)
    changed[100:104] = bytes(4)
    made = disk_time(now)
    struct.pack_into(">QQQ", changed, 32, made, made, made)
    struct.pack_into(">Q", changed, 144, made)
    return bytes(changed)
