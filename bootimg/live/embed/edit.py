"""Writing changes of an ISO: in place, to a copy, or to a stream."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from bootimg.atomic import whole_file
from bootimg.disk.extents import FileSource, write_fully
from bootimg.errors import BootimgError, ExitCode
from bootimg.filelock import lock
from bootimg.live.embed.coreosiso import Change, CoreosIso
from bootimg.sizes import MIB
from bootimg.storagefaults import named
from bootimg.untrusted.budget import Budget
from bootimg.untrusted.limits import DEFAULT, Limits

Edit = Callable[[CoreosIso], Sequence[Change]]


@contextmanager
def opened_iso(path: Path, limits: Limits = DEFAULT) -> Iterator[CoreosIso]:
    """The ISO, to read it."""
    with FileSource(path) as source:
        yield CoreosIso(source, Budget(limits))


def edit_in_place(path: Path, edit: Edit, limits: Limits = DEFAULT) -> None:
    """Change the ISO itself.

    All changes are known and checked before the first is written, so a refusal changes nothing.  The ISO is
    locked meanwhile.  Raises `iso-not-writable`.
    """
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise _not_writable(path, error) from None
    try:
        lock(fd, path)
        with opened_iso(path, limits) as iso:
            changes = edit(iso)
        for change in changes:
            write_fully(fd, change.data, change.offset)
        os.fsync(fd)
    except OSError as error:
        named(error, path)
        raise
    finally:
        os.close(fd)


def edit_copy(path: Path, output: Path, edit: Edit, limits: Limits = DEFAULT) -> None:
    """Write a changed copy, which appears whole or not at all; an existing file is `output-exists`."""
    require_absent([output])
    with opened_iso(path, limits) as iso:
        changes = edit(iso)
    with whole_file(output, need=path.stat().st_size) as file:
        stream_changed(path, changes, file)


def edit_stream(path: Path, edit: Edit, file: BinaryIO, limits: Limits = DEFAULT) -> None:
    """Write a changed copy to a stream."""
    with opened_iso(path, limits) as iso:
        changes = edit(iso)
    stream_changed(path, changes, file)


def stream_changed(path: Path, changes: Sequence[Change], file: BinaryIO) -> None:
    """Copy the ISO to a file, with the changes in it."""
    with FileSource(path) as source:
        position = 0
        for change in [*sorted(changes, key=lambda each: each.offset), Change(source.size, b"")]:
            for at in range(position, change.offset, MIB):
                file.write(source.read(at, min(MIB, change.offset - at)))
            file.write(change.data)
            position = change.offset + len(change.data)


def require_absent(paths: Iterable[Path]) -> None:
    """Raise `output-exists` for a file that would be overwritten."""
    for path in paths:
        if path.exists() or path.is_symlink():
            raise BootimgError(
                "output-exists",
                f"{path} exists already",
                hint="remove it, or choose another name",
                exit_code=ExitCode.USAGE,
            )


def _not_writable(path: Path, error: OSError) -> BootimgError:
    return BootimgError(
        "iso-not-writable",
        f"{path} cannot be changed: {error.strerror}",
        hint="write a changed copy with -o",
        exit_code=ExitCode.USAGE,
    )
