"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bootimg.errors import BootimgError
from bootimg.sizes import format_size

PARTIAL = ".partial-"


@contextmanager
def appearing(path: Path, mode: int = 0o644) -> Iterator[Path]:
    """A temporary path beside `path` to write to; it takes the name when the body ends well.

    The name starts with `PARTIAL`, so that leftovers of a killed run can be told.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f"{PARTIAL}{path.name}-", dir=path.parent)
    os.close(handle)
    partial = Path(name)
    try:
        with refusing_full_disk(path):
            yield partial
            partial.chmod(mode)
            sync(partial)
            partial.replace(path)
            sync(path.parent)
    finally:
        with suppress(FileNotFoundError):
            partial.unlink()


def write_whole(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Write a file that appears whole or not at all, and is durable."""
    with appearing(path, mode) as partial:
        partial.write_bytes(data)


def sync(path: Path) -> None:
    """Make a file's content, or a folder's entries, durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def refusing_full_disk(path: Path) -> Iterator[None]:
    """Turn ENOSPC in the body into the error `no-space-left` that says where."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise no_space(path) from error


def no_space(path: Path, need: int | None = None) -> BootimgError:
    """The error for a full file system: `need` bytes at `path`."""
    folder = next(parent for parent in (path, *path.parents) if parent.is_dir())
    free = shutil.disk_usage(folder).free
    wanted = f"; {format_size(need)} are needed" if need else ""
    return BootimgError(
        "no-space-left",
        f"there is no space left for {path}",
        context=[f"{folder}: {format_size(free)} free{wanted}"],
        hint="free some space (`bootimg cache gc` helps), or name another place with --cache or --builds",
    )


def require_space(path: Path, need: int) -> None:
    """Refuse before work starts where `need` bytes are not free at `path`."""
    folder = next(parent for parent in (path, *path.parents) if parent.is_dir())
    if shutil.disk_usage(folder).free < need:
        raise no_space(path, need)
