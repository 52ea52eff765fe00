"""A base disk with a platform's patch over it, read as one disk that never exists as a file."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from bootimg.disk.bootpatch import Patch
from bootimg.disk.extents import Extent, FileSource, Source


class Composite:
    """`base` with the blocks of `patch`, `size` bytes long (default the base's).  After the base is a hole.

    It is a source and a context.  A base given as a path is opened read-only and closed at the end.  A base
    given as a source is not closed.
    """

    def __init__(self, base: Path | Source, patch: Patch | None = None, size: int | None = None) -> None:
        self._opened: FileSource | None = None
        self._base: Source
        if isinstance(base, Path):
            self._base = self._opened = FileSource(base)
        else:
            self._base = base
        self._size = self._base.size if size is None else size
        self._blocks = sorted((patch or Patch()).blocks)
        self._starts = [offset for offset, _ in self._blocks]
        ends = [offset + len(data) for offset, data in self._blocks]
        if self._size < self._base.size or any(end > self._size for end in ends):
            self.__exit__(None, None, None)
            raise ValueError(f"{base} and its patch do not fit into {self._size} bytes")
        if any(end > start for end, start in zip(ends, self._starts[1:], strict=False)):
            self.__exit__(None, None, None)
            raise ValueError("blocks of the patch overlap")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._opened is not None:
            self._opened.__exit__(kind, error, trace)

    @property
    def size(self) -> int:
        """The disk's size in bytes."""
        return self._size

    def read(self, offset: int, length: int) -> bytes:
        """Bytes of the disk as the platform sees it."""
        if offset < 0 or offset + length > self._size:
            raise EOFError(f"{length} bytes at {offset} are not inside a disk of {self._size}")
        inside = max(0, min(length, self._base.size - offset))
        data = self._base.read(offset, inside) if inside else b""
        if inside < length:
            data += bytes(length - inside)
        index = max(0, bisect_right(self._starts, offset) - 1)
        patched: bytearray | None = None
        for start, block in self._blocks[index:]:
            low, high = max(start, offset), min(start + len(block), offset + length)
            if start >= offset + length:
                break
            if low < high:
                patched = patched if patched is not None else bytearray(data)
                patched[low - offset : high - offset] = block[low - start : high - start]
        return data if patched is None else bytes(patched)

    def extents(self) -> Iterator[Extent]:
        """Data (the base's and the patch's) and holes."""
        pending: Extent | None = None
        for extent in self._cut():
            if pending is not None and pending.data == extent.data:
                pending = Extent(pending.offset, pending.length + extent.length, data=extent.data)
                continue
            if pending is not None:
                yield pending
            pending = extent
        if pending is not None:
            yield pending

    def _cut(self) -> Iterator[Extent]:
        """The base's extents and the tail; holes are split where they have a patched block."""
        for extent in self._base.extents():
            yield from [extent] if extent.data else self._hole(extent.offset, extent.end)
        yield from self._hole(self._base.size, self._size)

    def _hole(self, start: int, end: int) -> Iterator[Extent]:
        position = start
        for index in range(max(0, bisect_right(self._starts, start) - 1), len(self._blocks)):
            offset, block = self._blocks[index]
            if offset >= end:
                break
            low, high = max(offset, start), min(offset + len(block), end)
            if low >= high:
                continue
            if position < low:
                yield Extent(position, low - position, data=False)
            yield Extent(low, high - low, data=True)
            position = high
        if position < end:
            yield Extent(position, end - position, data=False)
