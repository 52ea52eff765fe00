"""The file of a pull that is under way: it stays when the pull is interrupted, and the next one continues."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from bootimg.atomic import Opening, enough_space, open_own, sync
from bootimg.errors import BootimgError, ExitCode
from bootimg.filelock import lock
from bootimg.partialfiles import PARTIAL

_REFUSED = ("disk-artifact-damaged", "disk-artifact-invalid", "image-references-other-file")


def part_path(path: Path, digest: str) -> Path:
    """Where the part of a file is that arrived, beside the file; `digest` is that of the whole."""
    return path.with_name(f"{PARTIAL}{path.name}-{digest.partition(':')[2][:12]}")


def part_size(path: Path, digest: str) -> int:
    """How many bytes of the part are there."""
    part = part_path(path, digest)
    return part.stat().st_size if part.is_file() else 0


@contextmanager
def part_file(path: Path, digest: str, need: int) -> Iterator[BinaryIO]:
    """The part, to read and to append to; it becomes the file `path` when the body ends well.

    If the body fails it stays, unless its content was refused.  Errors: `pull-running`,
    `folder-not-writable`, `file-foreign`, `no-space-left` for `need` bytes.
    """
    part = part_path(path, digest)
    with enough_space(path.parent, need), _opened(part) as handle:
        _lock(handle, part, path)
        try:
            yield handle
            handle.flush()
            os.fsync(handle.fileno())
            part.replace(path)
        except BaseException as error:
            with suppress(OSError):
                handle.flush()
            if _is_refused(error) or os.fstat(handle.fileno()).st_size == 0:
                part.unlink(missing_ok=True)
            raise
    sync(path.parent)


def _opened(part: Path) -> BinaryIO:
    try:
        return open_own(part, Opening.APPEND)
    except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
        raise _unwritable(part.parent, str(error.strerror)) from None


def _lock(handle: BinaryIO, part: Path, path: Path) -> None:
    try:
        lock(handle, part, wait=False)
        # Another pull may have ended between the opening and the lock.
        if os.path.samestat(os.fstat(handle.fileno()), part.stat()):
            return
    except (BlockingIOError, FileNotFoundError):
        pass
    raise BootimgError(
        "pull-running",
        f"another process pulls {path}",
        hint="wait for it, or end it: the same command then continues what it has begun",
    )


def _is_refused(error: BaseException) -> bool:
    return isinstance(error, BootimgError) and error.id in _REFUSED


def _unwritable(folder: Path, why: str) -> BootimgError:
    return BootimgError(
        "folder-not-writable",
        f"{folder} cannot be written",
        context=[why],
        hint="make the folder, or write to another one",
        exit_code=ExitCode.ENVIRONMENT,
    )
