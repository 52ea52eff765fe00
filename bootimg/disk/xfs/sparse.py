"""Copies what is not a hole."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator

_CHUNK = 1 << 20


def copy_data(source: int, target: int, part: tuple[int, int], shift: int) -> None:
    """Copy a part (start, length) of an open file without its holes, `shift` bytes further on in another."""
    for start, end in _data_ranges(source, *part):
        for at in range(start, end, _CHUNK):
            view = memoryview(os.pread(source, min(_CHUNK, end - at), at))
            while view:
                done = os.pwrite(target, view, shift + at)
                at += done
                view = view[done:]


def _data_ranges(fd: int, start: int, length: int) -> Iterator[tuple[int, int]]:
    """The parts of a file's part that are not holes: start and end."""
    at, end = start, start + length
    while at < end:
        try:
            at = os.lseek(fd, at, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            return
        hole = min(end, os.lseek(fd, at, os.SEEK_HOLE))
        if at < hole:
            yield at, hole
        at = hole
