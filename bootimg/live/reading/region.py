"""A part of a disk or file that is read as a file of its own, such as a file of an ISO."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bootimg.disk.extents import Source


@dataclass(frozen=True, slots=True)
class Region:
    """`length` bytes of a source from `offset` on; all of them are inside the source."""

    source: Source
    offset: int
    length: int

    def open(self) -> io.BufferedReader:
        """The bytes as a file."""
        return io.BufferedReader(_File(self))

    def part(self, offset: int, length: int) -> Region:
        """`length` bytes from this region's byte `offset` on; ValueError if it does not have them."""
        if not 0 <= offset <= offset + length <= self.length:
            raise ValueError(f"{length} bytes at {offset} are not inside {self.length} bytes")
        return Region(self.source, self.offset + offset, length)

    def chunks(self, size: int) -> Iterator[bytes]:
        """All bytes, `size` at a time; only the last chunk may have fewer."""
        for at in range(0, self.length, size):
            yield self.source.read(self.offset + at, min(size, self.length - at))


class _File(io.RawIOBase):
    def __init__(self, region: Region) -> None:
        self._region = region
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._region.length}[whence]
        if base + offset < 0:
            raise ValueError(f"a negative position: {base + offset}")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: Any, /) -> int:  # noqa: ANN401
        view = memoryview(buffer).cast("B")
        length = min(len(view), self._region.length - self._at)
        if length <= 0:
            return 0
        view[:length] = self._region.source.read(self._region.offset + self._at, length)
        self._at += length
        return length
