"""The files of a file system as values: what the writers of XFS, ext4 and FAT are given.

A tree is a sequence of entries, each directory before what it holds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

Xattrs = tuple[tuple[bytes, bytes], ...]
"""Names with their prefix and values, sorted by name."""

SELINUX = b"security.selinux"


class Kind(StrEnum):
    """The types of files that a deployed system has."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"
    WHITEOUT = "whiteout"
    """A character device 0:0: what overlayfs hides a lower file with."""


@dataclass(frozen=True, slots=True)
class HostFile:
    """Content that is in a file of this machine, from `offset` on."""

    path: str
    offset: int = 0


Content = HostFile | bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A name of a file system.

    `path` has no leading slash and is empty for the root.  `mode` is the 12 permission bits, `mtime` is in
    nanoseconds since 1970.  `size` and `content` are a regular file's, `target` is a symlink's.
    Entries with the same `link` are hard links of one file and equal but for the path.
    `reflink` is the path of a file with the same content that comes earlier: the two share their blocks where
    the file system can, else the content is written twice.
    `immutable` is the flag of chattr(1).
    """

    path: bytes
    kind: Kind
    mode: int
    uid: int = 0
    gid: int = 0
    mtime: int = 0
    xattrs: Xattrs = ()
    size: int = 0
    content: Content = b""
    target: bytes = b""
    link: str | None = None
    reflink: bytes | None = None
    immutable: bool = False


def content_bytes(entries: Iterable[Entry]) -> int:
    """The bytes of content that these entries have, shared content counted once."""
    seen: set[str] = set()
    total = 0
    for entry in entries:
        if entry.reflink is None and entry.link not in seen:
            total += entry.size
        if entry.link is not None:
            seen.add(entry.link)
    return total


def directory(path: str, mode: int, mtime: int) -> Entry:
    """A directory of root's."""
    return Entry(path=path.encode(), kind=Kind.DIRECTORY, mode=mode, mtime=mtime)


def text(path: str, content: bytes, mtime: int, mode: int = 0o644) -> Entry:
    """A regular file of root's."""
    return Entry(
        path=path.encode(), kind=Kind.FILE, mode=mode, mtime=mtime, size=len(content), content=content
    )


def symlink(path: str, target: str, mtime: int) -> Entry:
    """A symbolic link of root's."""
    return Entry(path=path.encode(), kind=Kind.SYMLINK, mode=0o777, mtime=mtime, target=target.encode())


def with_label(entry: Entry, label: str) -> Entry:
    """The entry with this SELinux label instead of any that it has."""
    others = [pair for pair in entry.xattrs if pair[0] != SELINUX]
    return replace(entry, xattrs=tuple(sorted([*others, (SELINUX, label.encode() + b"\0")])))
