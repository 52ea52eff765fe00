"""A file tree as data: what a file system is filled with, before any file system exists."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

Xattrs = tuple[tuple[bytes, bytes], ...]
"""Names with their namespace (`security.selinux`) and values."""


class Kind(StrEnum):
    """What a name stands for."""

    DIRECTORY = "directory"
    FILE = "file"
    SYMLINK = "symlink"
    HARD_LINK = "hard link"
    CHARACTER_DEVICE = "character device"
    BLOCK_DEVICE = "block device"
    FIFO = "fifo"
    SOCKET = "socket"


@dataclass(frozen=True, slots=True)
class HostRange:
    """Content that lies in a file of this machine, from `offset` on.

    Reading is fastest when neighbouring nodes lie in the same file, and when the path is a string.
    """

    path: str | Path
    offset: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One name of the tree.

    `path` is relative, without a leading slash; b"" is the root.  The root comes first, a directory
    before what it holds.  `mode` has the permission bits (0o7777), `mtime` is in nanoseconds.

    A regular file has `size` bytes, taken from `content`; without content it is a hole.  `data` lists the
    ranges (offset, length) that are not holes, ascending, at their own offsets in `content`; None means
    all of it.  A file with `reflink` shares the extents of an earlier file, whose path it names; content,
    size and data are then the other file's.

    `target` is a symbolic link's target; for a hard link it is the path of an earlier node that is not
    a directory.  Only path and target of a hard link count.
    `device` has the major and minor number of a device.
    """

    path: bytes
    kind: Kind
    mode: int = 0
    uid: int = 0
    gid: int = 0
    mtime: int = 0
    xattrs: Xattrs = ()
    size: int = 0
    content: bytes | HostRange | None = None
    data: tuple[tuple[int, int], ...] | None = None
    reflink: bytes | None = None
    target: bytes = b""
    device: tuple[int, int] = (0, 0)
    immutable: bool = False
