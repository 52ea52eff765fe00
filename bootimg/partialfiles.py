"""The names of files that are not whole yet, and the removal of those that killed processes left."""

from __future__ import annotations

import os
import secrets
import stat
import time
from contextlib import suppress
from pathlib import Path

from bootimg.filelock import lock

PARTIAL = ".partial-"
YOUNG = 2.0
"""Seconds for which something new is not locked yet, perhaps."""
_RANDOM = 4


def partial_of(path: Path) -> Path:
    """A new name beside `path`, for a file that is to replace it; whoever writes it holds its lock."""
    return path.with_name(f"{PARTIAL}{path.name}-{secrets.token_hex(_RANDOM)}")


def remove_abandoned(path: Path) -> None:
    """Remove what killed processes left under names of `partial_of`, unless the file system has no locks."""
    # A folder may be writable and not readable.
    with suppress(OSError):
        for found in path.parent.iterdir():
            start, _, end = found.name.rpartition("-")
            if start == f"{PARTIAL}{path.name}" and len(end) == 2 * _RANDOM:
                # It may be another user's, or be gone or locked: then it is not this process's to remove.
                with suppress(OSError):
                    _remove(found)


def _remove(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(fd)
        old = time.time() - status.st_ctime > YOUNG
        if stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid() and old:
            lock(fd, path, wait=False)
            path.unlink()
    finally:
        os.close(fd)
