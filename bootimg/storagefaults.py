"""What an OSError says of storage, in plain words, and which file it is about."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType

_AGAIN = "then run the same command again"
_ELSEWHERE = "or use another place with -o, --cache or TMPDIR"
_OUTPUTS = ("<stdout>", "<stderr>")


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault: a sentence about the file without its subject, and the way out."""

    words: str
    hint: str


_DEVICE = Fault(
    "cannot be read or written: its disk or file system reports an error",
    f"look at the kernel's messages (`dmesg`) and mend or replace the disk, {_AGAIN}",
)
_DAMAGED = Fault(
    "cannot be used: its file system is damaged", f"unmount and check that file system, {_AGAIN}"
)
_SERVER = Fault("is on a file system whose server does not answer", f"mount that file system again, {_AGAIN}")
_FORBIDDEN = Fault("may not be used by this user", f"change its permissions, {_ELSEWHERE}")
_BUSY = Fault("is in use by another program or as a mount point", f"end that use, {_AGAIN}")

ANYWHERE: Mapping[int, Fault] = {
    errno.EIO: _DEVICE,
    errno.EREMOTEIO: _DEVICE,
    errno.EBADMSG: _DAMAGED,
    errno.EUCLEAN: _DAMAGED,
    errno.EROFS: Fault(
        "cannot be written: its file system is read-only", f"mount it for writing, {_ELSEWHERE}"
    ),
    errno.ESTALE: Fault("is gone from its network file system", f"mount that file system again, {_AGAIN}"),
    errno.ENOLCK: Fault(
        "cannot be locked: its file system has no locks, or its lock service does not answer",
        f"start the lock service or mount it with locks, {_ELSEWHERE}",
    ),
    errno.EMFILE: Fault(
        "cannot be opened: this process has as many open files as it may have",
        "allow more with `ulimit -n`, or run fewer jobs at a time with -j",
    ),
    errno.ENFILE: Fault(
        "cannot be opened: this machine has as many open files as it may have",
        f"end other programs or raise the kernel's fs.file-max, {_AGAIN}",
    ),
    errno.EFBIG: Fault(
        "would be larger than its file system or `ulimit -f` allows",
        f"allow larger files, {_ELSEWHERE}",
    ),
}
"""Faults that only storage has, or that have their cause outside of bootimg in any case."""

_NO_FILES = Fault(
    "cannot be made, or is gone: its file system has no files but the kernel's own, as /proc and /sys",
    f"name another folder with -o, {_AGAIN}",
)

OF_A_PATH: Mapping[int, Fault] = {
    errno.EACCES: _FORBIDDEN,
    errno.EPERM: _FORBIDDEN,
    errno.ENAMETOOLONG: Fault(
        "has a longer name than its file system allows", "use shorter names of folders and builds"
    ),
    errno.ELOOP: Fault(
        "is a symbolic link, or leads through a loop of them",
        f"replace the link by what it names, {_ELSEWHERE}",
    ),
    errno.ENOTDIR: Fault(
        "is below something that is not a folder, or is not a folder itself",
        f"move what is in the way, {_ELSEWHERE}",
    ),
    errno.EISDIR: Fault("is a folder, where a file belongs", f"move that folder away, {_AGAIN}"),
    errno.ENXIO: Fault("is not a regular file, or its device is gone", f"move it away, {_AGAIN}"),
    errno.ENODEV: Fault("is not a regular file, or its device is gone", f"move it away, {_AGAIN}"),
    errno.ENOTCONN: _SERVER,
    errno.EHOSTDOWN: _SERVER,
    errno.ETIMEDOUT: _SERVER,
    errno.EBUSY: _BUSY,
    errno.ETXTBSY: _BUSY,
    errno.EOPNOTSUPP: Fault(
        "is on a file system that cannot do what bootimg needs", f"use a local file system, {_ELSEWHERE}"
    ),
}
"""Faults of storage if the error names a path; sockets and pipes have the same numbers."""

FULL = (errno.ENOSPC, errno.EDQUOT)


def fault_of(error: OSError) -> Fault | None:
    """The fault; None for an error that bootimg should have expected, which is a bug, and for a full disk."""
    number, names = error.errno or 0, _given(error)
    if number == errno.ENOENT and any(map(_keeps_no_files, names)):
        return _NO_FILES
    return ANYWHERE.get(number) or (OF_A_PATH.get(number) if names else None)


def _keeps_no_files(name: str) -> bool:
    """Whether a file of this name would be in a folder of the kernel's: there, making one is ENOENT too."""
    try:
        return os.statvfs(os.path.dirname(name) or ".").f_blocks == 0  # noqa: PTH120
    except OSError:
        return False


@contextmanager
def about(path: Path) -> Iterator[None]:
    """Let the errors of the body name this file, where the system's name none or another."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, os.fspath(path)) from error


def named(error: OSError, fallback: Path) -> None:
    """Give a fault of storage that names no file the name of one.

    A failed read, write or sync names none.  It is the file that was open where the error came from, else
    `fallback`.
    """
    if error.filename is None and (error.errno in ANYWHERE or error.errno in FULL):
        error.filename = next(iter(names_of(error)), os.fspath(fallback))


def names_of(error: OSError) -> tuple[str, ...]:
    """The files that an error is about: those that it names, else those that were open where it came from."""
    # What was open says nothing about a file that could not be opened.
    opening = error.errno in (errno.EMFILE, errno.ENFILE)
    return _given(error) or (() if opening else _open_files(error.__traceback__))


def is_output(name: str) -> bool:
    """Whether it is the name of this process's standard output or error."""
    return name in _OUTPUTS


def _given(error: OSError) -> tuple[str, ...]:
    found = (error.filename, error.filename2)
    return tuple(os.fsdecode(each) for each in found if isinstance(each, str | bytes | os.PathLike))


def _open_files(traceback: TracebackType | None) -> tuple[str, ...]:
    """The names of the file objects of the innermost function that has some."""
    frames: list[FrameType] = []
    while traceback is not None:
        frames.append(traceback.tb_frame)
        traceback = traceback.tb_next
    return next((names for names in map(_names_in, reversed(frames)) if names), ())


def _names_in(frame: FrameType) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_file_names(frame)))


def _file_names(frame: FrameType) -> Iterator[str]:
    for value in frame.f_locals.values():
        name = getattr(value, "name", None) if isinstance(value, io.IOBase) else None
        if isinstance(name, str | bytes):
            yield os.fsdecode(name)
