"""Files that appear whole or not at all, and clear errors for a full file system."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

from bootimg.errors import BootimgError, ExitCode
from bootimg.filelock import is_without_locks, lock
from bootimg.partialfiles import YOUNG, partial_of, remove_abandoned
from bootimg.sizes import format_size
from bootimg.storagefaults import FULL, about, named

_UNWRITABLE = (errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.EPERM, errno.EROFS)
_NO_FILE = (errno.ELOOP, errno.EISDIR, errno.ENXIO)
_NO_TMPFILE = (errno.EOPNOTSUPP, errno.ENOSYS, errno.EISDIR, errno.EINVAL, errno.ENOENT)
_NO_FOLDER_SYNC = (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS)


@contextmanager
def whole_file(path: Path, *, mode: int = 0o644, need: int | None = None) -> Iterator[BinaryIO]:
    """A file to write; it gets its name, replacing an existing file, when the body ends well.

    Until then it has no name if the filesystem supports that (O_TMPFILE), so a killed process leaves
    nothing behind.  Otherwise, and for the moment in which it replaces a file, it has a temporary name beside
    the final one; what a killed process left there is removed by the next that writes this file.  `need` is
    how many bytes will be written, for the error `no-space-left`.  Raises `folder-not-writable`.
    """
    partial = partial_of(path)
    with enough_space(path.parent, need):
        try:
            fd, anonymous = _open(path.parent, partial, mode)
        except OSError as error:
            if error.errno not in _UNWRITABLE:
                raise
            hint = "make the folder, or write to another one"
            raise _not_writable(path.parent, str(error.strerror), hint) from None
        try:
            with os.fdopen(fd, "wb") as handle:
                _hold(fd, partial)
                if not anonymous or path.exists():
                    remove_abandoned(path)
                yield handle
                handle.flush()
                os.fsync(fd)
                if not anonymous or not _appears(fd, path, partial):
                    partial.replace(path)
        except BaseException as error:
            # A file system that fails may refuse this too; what it failed with first is what counts.
            with suppress(OSError):
                partial.unlink()
            if isinstance(error, OSError):
                named(error, path)
            raise
        sync(path.parent)


@contextmanager
def scratch_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """A folder for temporary files, removed when the body ends.

    It is locked as long as its process lives.  So folders of killed runs can be recognised: the next call
    with the same `prefix` and parent removes them, unless the file system has no locks.
    """
    with enough_space(parent):
        _remove_abandoned(parent, prefix)
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        try:
            fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
            try:
                folder = _marked(folder, fd)
                yield folder
            finally:
                os.close(fd)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _marked(folder: Path, fd: int) -> Path:
    """Lock a folder; where that is impossible, give it a name that no other run removes."""
    try:
        lock(fd, folder)
    except OSError as error:
        if not is_without_locks(error):
            raise
        return folder.rename(folder.with_name(f"unlocked-{folder.name}"))
    return folder


def temporary_folder(prefix: str) -> AbstractContextManager[Path]:
    """A `scratch_folder` in the place for temporary files ($TMPDIR, else /tmp)."""
    return scratch_folder(temporary_root(), prefix)


def temporary_root() -> Path:
    """The folder for temporary files; raises `folder-not-writable` if none is usable.

    Unlike Python, this refuses a bad TMPDIR instead of ignoring it, because the programs that run get it too.
    """
    if tmpdir := os.environ.get("TMPDIR"):
        hint = "set TMPDIR to a folder that is, or unset it"
        require_writable(Path(tmpdir), hint)
        if not Path(tmpdir).is_dir():
            raise _not_writable(Path(tmpdir), "there is no such folder", hint)
    try:
        return Path(tempfile.gettempdir())
    except FileNotFoundError:
        raise BootimgError(
            "folder-not-writable",
            "there is no folder for temporary files: /tmp and /var/tmp are not writable",
            hint="set TMPDIR to a folder that is",
            exit_code=ExitCode.ENVIRONMENT,
        ) from None


def _remove_abandoned(parent: Path, prefix: str) -> None:
    for folder in parent.glob(f"{prefix}*"):
        # /tmp also has folders of other users, whose runs remove them, and of runs that are still going.
        with suppress(OSError):
            fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                status = os.fstat(fd)
                # A folder that has just been made is not locked yet.
                if status.st_uid == os.geteuid() and time.time() - status.st_ctime > YOUNG:
                    lock(fd, folder, wait=False)
                    shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(fd)


class Opening(StrEnum):
    """How `open_own` opens a file."""

    LOCK = "lock"
    """To hold its flock; the file is created if it is missing, and its content stays."""
    APPEND = "append"
    """To read it and to append to it."""
    NEW = "new"
    """To write a new file."""
    REPLACE = "replace"
    """To overwrite it in place."""


_FLAGS = {
    Opening.LOCK: os.O_RDWR | os.O_CREAT,
    Opening.APPEND: os.O_RDWR | os.O_CREAT | os.O_APPEND,
    Opening.NEW: os.O_RDWR | os.O_CREAT | os.O_EXCL,
    Opening.REPLACE: os.O_RDWR | os.O_CREAT,
}


def open_own(path: Path, how: Opening) -> BinaryIO:
    """Open a lock, a journal or a scratch file whose name other users may know or guess beforehand.

    Raises `file-foreign` if the name is a symbolic link or not a regular file, or, for a file to overwrite,
    if the file has another name too.  Otherwise anyone who may write in the folder could make bootimg
    truncate or fill another file.
    """
    try:
        fd = os.open(path, _FLAGS[how] | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
    except OSError as error:
        if error.errno not in _NO_FILE:
            raise
        raise _foreign(path, "is a symbolic link" if error.errno == errno.ELOOP else "is no file") from None
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise _foreign(path, "is no file")
        # A copy of a whole tree by hard links (cp -al) shares locks and journals with it, which is fine.
        if how is Opening.REPLACE and status.st_nlink > 1:
            raise _foreign(path, "has another name too")
        if how is Opening.REPLACE:
            os.ftruncate(fd, 0)
        return os.fdopen(fd, "ab+" if how is Opening.APPEND else "rb+")
    except BaseException:
        os.close(fd)
        raise


def require_no_link(folder: Path) -> None:
    """Raise `file-foreign` if a folder for scratch files is a link to another folder."""
    if folder.is_symlink():
        raise _foreign(folder, "is a symbolic link")


def _foreign(path: Path, why: str) -> BootimgError:
    return BootimgError(
        "file-foreign",
        f"{path} {why}; bootimg refuses to write to another file through it",
        hint=f"find out who put it there, and remove it: rm '{path}'",
    )


def write_own(path: Path, data: bytes) -> None:
    """Write a scratch file, with the errors of `open_own`."""
    with open_own(path, Opening.REPLACE) as handle:
        handle.write(data)


def write_whole(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Write a file that appears whole or not at all, and is durable."""
    with whole_file(path, mode=mode, need=len(data)) as handle:
        handle.write(data)


def set_times(path: Path, when: float) -> None:
    """Set the times of access and change, in epoch seconds; unlike os.utime, its errors name the file."""
    with about(path):
        os.utime(path, (when, when))


def sync(path: Path) -> None:
    """Make a file's content, or a folder's names, durable."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    except OSError as error:
        # Some file systems (CIFS, some FUSE) cannot sync a folder; its names are as durable as they can be.
        if error.errno not in _NO_FOLDER_SYNC or not stat.S_ISDIR(os.fstat(fd).st_mode):
            named(error, path)
            raise
    finally:
        os.close(fd)


@contextmanager
def enough_space(folder: Path, need: int | None = None, *, others: Sequence[Path] = ()) -> Iterator[None]:
    """Turn a full file system in the body into `no-space-left`; `need` is bytes, if known.

    If the body writes to `others` too, the error names the path with the least space.  Another fault of
    storage that names no file gets a name here: see `storage_errors`.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            named(error, folder)
            raise
        raise no_space(min((folder, *others), key=free_space), need) from None


def require_space(path: Path, need: int) -> None:
    """Refuse, before work starts, if `need` bytes are not free at `path`."""
    if free_space(path) < need:
        raise no_space(path, need)


def require_writable(path: Path, hint: str) -> None:
    """Refuse, before work starts, if nothing can be written at `path`, which need not exist yet."""
    if (found := blocking_file(path)) is not None:
        raise _not_writable(path, f"{found} is not a folder", hint)
    folder = nearest_folder(path)
    if not os.access(folder, os.W_OK | os.X_OK):
        why = f"user {os.geteuid()} may not write in {folder}, or it is on a read-only file system"
        raise _not_writable(path, why, hint)


def blocking_file(path: Path) -> Path | None:
    """The nearest existing path (the path itself or one above it) if it is not a folder, else None."""
    try:
        found = next((each for each in (path, *path.absolute().parents) if os.path.lexists(each)), None)
    except ValueError:
        # The path has a NUL byte.
        return path
    return found if found is not None and not found.is_dir() else None


def make_folder(path: Path, hint: str) -> None:
    """Make a folder in which only its owner may write, and its parents; an existing folder is fine.

    Raises `folder-not-writable` if it cannot be made.
    """
    try:
        path.mkdir(mode=0o755, parents=True, exist_ok=True)
    except OSError as error:
        if error.errno in FULL:
            raise
        raise _not_writable(path, str(error.strerror), hint) from None


def _not_writable(path: Path, why: str, hint: str) -> BootimgError:
    return BootimgError(
        "folder-not-writable",
        f"{path} cannot be written",
        context=[why],
        hint=hint,
        exit_code=ExitCode.ENVIRONMENT,
    )


def free_space(path: Path) -> int:
    """Bytes free where `path` is or would be made."""
    return shutil.disk_usage(nearest_folder(path)).free


def no_space(path: Path, need: int | None = None, *, context: Sequence[str] = ()) -> BootimgError:
    """The error for a full file system: its folder, the free and the needed bytes."""
    folder = nearest_folder(path)
    free = free_space(folder)
    needed = f", {format_size(need)} are needed" if need is not None else ""
    return BootimgError(
        "no-space-left",
        f"no space left in {folder}: {format_size(free)} free{needed}",
        context=context,
        hint="free some space (`bootimg cache gc` empties the cache), or write elsewhere with -o or --cache",
    )


def nearest_folder(path: Path) -> Path:
    """The folder itself, or its nearest parent that exists."""
    return next(folder for folder in (path, *path.absolute().parents) if folder.is_dir())


def _open(folder: Path, named: Path, mode: int) -> tuple[int, bool]:
    try:
        return os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, mode), True
    except OSError as error:
        if error.errno not in _NO_TMPFILE or not folder.is_dir():
            raise
    return os.open(named, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode), False


def _hold(fd: int, path: Path) -> None:
    """Lock a file that is being written, so that no other process takes it for abandoned."""
    with suppress(OSError):
        lock(fd, path, wait=False)


def _appears(fd: int, path: Path, partial: Path) -> bool:
    """Give a file without a name its name, or a temporary one if another file has that; whether it has it."""
    try:
        _link(fd, path)
    except FileExistsError:
        _link(fd, partial)
        return False
    return True


def _link(fd: int, path: Path) -> None:
    # With a folder's descriptor, Python calls linkat(), the only call that follows the link in /proc.
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with about(path):
            os.link(
                f"/proc/self/fd/{fd}", path.name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=True
            )
    finally:
        os.close(folder)
