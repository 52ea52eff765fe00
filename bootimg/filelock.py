"""Locks of files among processes (flock), with one error for every file system that has none."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path
from typing import BinaryIO

# NFS without its lock service, Lustre without the mount option flock, some FUSE file systems.
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)


def lock(file: int | BinaryIO, path: Path, *, shared: bool = False, wait: bool = True) -> None:
    """Lock an open file until it is closed; `path` is its name, for errors.

    Raises BlockingIOError without `wait` if another process has the lock, and OSError with ENOLCK if the
    file system has no locks.
    """
    how = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        fcntl.flock(file, how if wait else how | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError as error:
        number = errno.ENOLCK if error.errno in _NO_LOCKS else error.errno
        raise OSError(number, os.strerror(number or 0), os.fspath(path)) from error


def is_without_locks(error: OSError) -> bool:
    """Whether an error of `lock` says that the file system has no locks."""
    return error.errno == errno.ENOLCK
