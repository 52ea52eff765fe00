"""Files that appear whole or not at all, and never without space being named as the reason."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from bootimg.errors import BootimgError
from bootimg.sizes import format_size

_FULL = (errno.ENOSPC, errno.EDQUOT)
_NO_TMPFILE = (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT)


@contextmanager
def whole_file(path: Path, *, mode: int = 0o644, need: int | None = None) -> Iterator[BinaryIO]:
    """A file to write that gets its name, replacing what has it, when the body ends well.

    It has no name before that where the filesystem can do so (O_TMPFILE), so that a killed process
    leaves nothing behind; elsewhere a name beside the final one.  `need` is how many bytes will be
    written, for the error `no-space-left`.
    """
    named = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with enough_space(path.parent, need):
        fd, anonymous = _open(path.parent, named, mode)
        try:
            with os.fdopen(fd, "wb") as handle:
                yield handle
                handle.flush()
                os.fsync(fd)
                if anonymous:
                    _link(fd, named)
            named.replace(path)
        except BaseException:
            with suppress(FileNotFoundError):
                named.unlink()
            raise
        sync_folder(path.parent)


@contextmanager
def enough_space(folder: Path, need: int | None = None) -> Iterator[None]:
    """Turn a full filesystem into `no-space-left`, which says where, how much is there and needed."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        have = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
        wanted = f", {format_size(need)} are needed" if need is not None else ""
        raise BootimgError(
            "no-space-left",
            f"no space left in {folder}: {format_size(have)} free{wanted}",
            context=[os.strerror(error.errno)],
            hint="free some space (`bootimg cache gc` empties the cache), or write elsewhere with -o",
        ) from None


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _open(folder: Path, named: Path, mode: int) -> tuple[int, bool]:
    try:
        return os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, mode), True
    except OSError as error:
        if error.errno not in _NO_TMPFILE or not folder.is_dir():
            raise
    return os.open(named, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode), False


def _link(fd: int, path: Path) -> None:
    # A folder's descriptor makes Python call linkat(), which alone follows the link in /proc.
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.link(f"/proc/self/fd/{fd}", path.name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=True)
    finally:
        os.close(folder)
