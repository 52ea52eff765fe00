"""The entries of a layer's tar and of the merged tree."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from enum import StrEnum

from bootimg.errors import BootimgError
from bootimg.untrusted.budget import ATTRIBUTE

MAX_PATH, MAX_NAME, MAX_DEPTH = 4095, 255, 256
"""Linux's PATH_MAX and NAME_MAX in bytes, and a depth far beyond that of real trees."""


class Kind(StrEnum):
    """The types of files that a layer may hold."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"
    HARDLINK = "hardlink"
    """Only in the list of a layer; the merged tree has a FILE instead."""
    SPECIAL = "special"
    """A device node or a fifo, which never gets to the disk: see `refuse_special`."""


TYPES = {Kind.FILE: stat.S_IFREG, Kind.DIRECTORY: stat.S_IFDIR, Kind.SYMLINK: stat.S_IFLNK}
"""The file type bits of a mode."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a layer or of the merged tree.

    `path` has no leading slash and is empty for the root.  `mode` is the 12 permission bits.
    `mtime` is in whole seconds.  `target` is a symlink's text, the path a hardlink names, or the type of a
    special file in words.
    A file's content is `size` bytes at `offset` of the tar of layer number `layer`; files that are
    hardlinks of each other have the same `link_key`.
    """

    path: str
    kind: Kind
    mode: int
    uid: int
    gid: int
    size: int = 0
    mtime: int = 0
    xattrs: tuple[tuple[str, bytes], ...] = ()
    target: str = ""
    layer: int = 0
    offset: int = 0

    @property
    def text(self) -> int:
        """What the entry holds of text, in characters, as a budget counts it."""
        found = len(self.path) + len(self.target)
        if self.xattrs:
            found += sum(ATTRIBUTE + len(name) + len(value) for name, value in self.xattrs)
        return found

    @property
    def link_key(self) -> tuple[int, int]:
        """The identity of the content; offsets are unique within a layer."""
        return self.layer, self.offset

    @property
    def name(self) -> str:
        """The last component of the path."""
        return self.path.rpartition("/")[2]

    @property
    def parent(self) -> str:
        """The path of the directory it is in."""
        return self.path.rpartition("/")[0]


def clean_path(raw: str) -> str:
    """A tar member's path without `./` and double slashes; the root is the empty path.

    Absolute paths and `..` are refused: no image needs them, but attacks use them.
    """
    if len(raw) > 2 * MAX_PATH:
        raise _too_long(raw)
    parts = [part for part in raw.split("/") if part not in ("", ".")]
    if raw.startswith("/"):
        raise unsafe_path(raw, "is absolute")
    if ".." in parts:
        raise unsafe_path(raw, "has `..` in it")
    path = "/".join(parts)
    check_length(path)
    return path


def check_length(path: str) -> None:
    """Refuse paths that no file system allows, and trees so deep that tools overflow."""
    raw = path.encode()
    # Most paths are shorter than a name may be.
    if len(raw) <= MAX_NAME and raw.count(b"/") < MAX_DEPTH:
        return
    parts = raw.split(b"/")
    if len(raw) > MAX_PATH or len(parts) > MAX_DEPTH or max(map(len, parts)) > MAX_NAME:
        raise _too_long(path)


def check_target(target: str) -> str:
    """The target of a symlink, unless it is longer than a path can be."""
    if len(target.encode()) > MAX_PATH:
        raise unsafe_path(target, "is a link's target that is longer than a path can be")
    return target


def _too_long(path: str) -> BootimgError:
    return unsafe_path(path, "is longer or deeper than a file system allows")


def unsafe_path(path: str, why: str) -> BootimgError:
    """The error for a path that occurs only in damaged or malicious layers."""
    return BootimgError(
        "layer-path-unsafe",
        f"the layer's path {path[:200]!r} {why}",
        hint="the image is damaged or made to do harm; nothing of it was written",
    )


def refuse_special(entry: Entry) -> None:
    """Refuse a device node or a fifo whose path would get to the disk."""
    if entry.kind is Kind.SPECIAL:
        raise BootimgError(
            "layer-device-node",
            f"the layer holds a {entry.target}: {entry.path[:200]}",
            hint="make device nodes at boot (udev, systemd-tmpfiles), not in the image",
        )
