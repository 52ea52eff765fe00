"""Housekeeping of the cache: lists its content with the time of the last use, and cleans it.

Each folder of the cache is a kind of thing.  Each entry in it is one thing, which is removed or kept as a
whole; an ostree repo is one thing.  Every run that uses the cache holds a shared lock on it, cleaning holds
an exclusive one, so nothing is removed during a build.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from bootimg.atomic import Opening, enough_space, open_own, write_own
from bootimg.cache import Cache
from bootimg.errors import BootimgError, ExitCode
from bootimg.filelock import lock

TAG = "CACHEDIR.TAG"
_SIGNATURE = (
    "Signature: 8a477f597d28d172789f06886806bc55\n# A cache of bootimg, see https://bford.info/cachedir/\n"
)
_LOCKS, _TRASH, _IN_USE = "locks", "trash", "in-use"


@dataclass(frozen=True, slots=True)
class Kept:
    """One thing in the cache: its bytes on the disk and the time of its last use (epoch seconds)."""

    kind: str
    path: Path
    size: int
    used: float

    def age(self) -> float:
        """Seconds since the last use."""
        return max(time.time() - self.used, 0.0)


@contextmanager
def in_use(cache: Cache) -> Iterator[None]:
    """Keep the cache from being cleaned while the body runs; a read-only cache needs no lock."""
    handle = _held(cache)
    if handle is None:
        yield
        return
    with handle:
        lock(handle, cache.root / _LOCKS / _IN_USE, shared=True)
        yield


def _held(cache: Cache) -> BinaryIO | None:
    try:
        with enough_space(cache.root):
            _tag(cache)
            return open_own(cache.folder(_LOCKS) / _IN_USE, Opening.LOCK)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
    except BootimgError as error:
        if error.id != "folder-not-writable":
            raise
    return None


def kept(cache: Cache) -> list[Kept]:
    """Everything in the cache, sorted by kind; within a kind, the longest unused comes first."""
    if not cache.root.is_dir():
        return []
    folders = [path for path in cache.root.iterdir() if path.is_dir() and path.name not in (_LOCKS, _TRASH)]
    found = [_measure(folder.name, path) for folder in folders for path in _things(folder)]
    return sorted((each for each in found if each), key=lambda each: (each.kind, each.used))


def old(cache: Cache, seconds: float) -> list[Kept]:
    """The things that have not been used for `seconds`."""
    return [each for each in kept(cache) if each.age() >= seconds]


def remove(cache: Cache, things: list[Kept]) -> None:
    """Delete these things; raises `cache-in-use`, and `cache-foreign` for a folder of another program."""
    if not cache.root.exists():
        return
    if not (cache.root / TAG).exists():
        raise BootimgError(
            "cache-foreign",
            f"{cache.root} was not made by bootimg: it has no {TAG}",
            hint="give the folder that builds used with --cache",
            exit_code=ExitCode.USAGE,
        )
    with _exclusive(cache):
        trash = cache.folder(_TRASH)
        for number, thing in enumerate(things):
            # A build may have removed it between the listing and the lock.
            with suppress(FileNotFoundError):
                thing.path.rename(trash / f"{time.time_ns()}-{number}")
        shutil.rmtree(trash)


@contextmanager
def _exclusive(cache: Cache) -> Iterator[None]:
    path = cache.folder(_LOCKS) / _IN_USE
    with open_own(path, Opening.LOCK) as handle:
        try:
            lock(handle, path, wait=False)
        except BlockingIOError:
            raise BootimgError(
                "cache-in-use",
                f"another bootimg is using {cache.root}",
                hint="clean the cache after it has ended",
            ) from None
        yield


def _tag(cache: Cache) -> None:
    """Mark a folder as a cache, unless it already has foreign content."""
    if not any(cache.folder(".").iterdir()):
        write_own(cache.root / TAG, _SIGNATURE.encode())


def _things(folder: Path) -> list[Path]:
    """The folder itself if it is an ostree repo, else its entries."""
    return [folder] if (folder / "objects").is_dir() else list(folder.iterdir())


def _measure(kind: str, path: Path) -> Kept | None:
    """The status of a path; None if it is gone, because a running build's temporary files come and go."""
    found = [(each, status) for each in _below(path) if (status := _status(each))]
    near = [status for each, status in found if path in (each, each.parent)]
    if not near:
        return None
    return Kept(kind, path, _disk_usage(status for _, status in found), max(map(_last_use, near)))


def _below(path: Path) -> Iterator[Path]:
    yield path
    if not path.is_symlink():
        for folder, folders, files in os.walk(path, onerror=_unless_gone):
            yield from (Path(folder, name) for name in (*folders, *files))


def _unless_gone(error: OSError) -> None:
    """Let a folder be passed over that a running build has removed, or that is another user's."""
    if not isinstance(error, FileNotFoundError | NotADirectoryError | PermissionError):
        raise error


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.lstat()
    except FileNotFoundError:
        return None


def _last_use(status: os.stat_result) -> float:
    """The time of the last use; a folder's access time is ignored, because measuring changes it."""
    return status.st_mtime if stat.S_ISDIR(status.st_mode) else max(status.st_mtime, status.st_atime)


def _disk_usage(statuses: Iterable[os.stat_result]) -> int:
    """Bytes on the disk; a file with several names counts once."""
    return sum({status.st_ino: 512 * status.st_blocks for status in statuses}.values())
