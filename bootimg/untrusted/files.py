"""Reads files that others wrote: up to a limit of their size, and regular ones unless the caller asks."""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Callable
from pathlib import Path

from bootimg.errors import BootimgError
from bootimg.sizes import MIB

TEXT_LIMIT = MIB
"""The most bytes of a small file of text, such as os-release, a boot loader entry or the aleph.

Every reader has this limit: of layers, of ext4, XFS, squashfs and erofs.  The largest known has some KiB.
"""

_KINDS: tuple[tuple[Callable[[int], bool], str], ...] = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISCHR, "a character device"),
    (stat.S_ISBLK, "a block device"),
    (stat.S_ISSOCK, "a socket"),
)


def open_regular(path: Path, *, block_device: bool = False) -> io.BufferedReader:
    """Open a regular file (or a block device) to read it; anything else is `file-not-regular`.

    A named pipe or a device in its place would never end, or would make the reader wait for ever.
    Raises the OSError of opening.
    """
    return os.fdopen(regular_descriptor(path, block_device=block_device), "rb")


def regular_descriptor(path: Path, *, block_device: bool = False) -> int:
    """The same as a file descriptor."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        # A socket cannot be opened at all.
        if path.is_socket():
            raise not_regular(path, stat.S_IFSOCK) from error
        raise
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISDIR(mode):
        os.close(descriptor)
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not (stat.S_ISREG(mode) or (block_device and stat.S_ISBLK(mode))):
        os.close(descriptor)
        raise not_regular(path, mode)
    return descriptor


def read_start(path: Path, limit: int, *, any_kind: bool = False) -> bytes:
    """The bytes of a file; `limit` + 1 of them where it has more, which parsers refuse.

    A file that the user names may be of `any_kind`: shells make named pipes of `<(…)`.
    """
    with path.open("rb") if any_kind else open_regular(path) as file:
        return file.read(limit + 1)


def not_regular(path: Path, mode: int) -> BootimgError:
    """The error for a path that is not a regular file; `mode` is what stat says."""
    kind = next((name for test, name in _KINDS if test(mode)), "not a regular file")
    return BootimgError(
        "file-not-regular",
        f"{path} is {kind}, where a file is needed",
        hint="name a regular file; in an image or a build, its maker put something else in the file's place",
    )
