"""An ISO that is laid out but not written, as a source."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path

from bootimg.disk.extents import Extent, FileSource
from bootimg.live.iso.layout import IsoLayout
from bootimg.sysroot.entries import Content, HostFile


class LayoutSource:
    """The bytes that `write_iso` would write."""

    def __init__(self, layout: IsoLayout) -> None:
        parts: list[tuple[int, int, Content]] = [(0, len(layout.head), layout.head)]
        parts += [(layout.offsets[path], file.size, file.content) for path, file in layout.files.items()]
        parts.append((layout.volume_size, len(layout.tail), layout.tail))
        self._parts = [each for each in parts if each[1]]
        self._starts = [start for start, _, _ in self._parts]
        self._size = layout.size

    @property
    def size(self) -> int:
        """The ISO's size in bytes."""
        return self._size

    def extents(self) -> Iterator[Extent]:
        """All of it counts as data."""
        yield Extent(0, self._size, data=True)

    def read(self, offset: int, length: int) -> bytes:
        """Bytes of the ISO; zeros between its files."""
        data, end = bytearray(length), offset + length
        for start, size, content in self._parts[max(0, bisect_right(self._starts, offset) - 1) :]:
            if start >= end:
                break
            low, high = max(start, offset), min(start + size, end)
            if low < high:
                data[low - offset : high - offset] = _read(content, low - start, high - low)
        return bytes(data)


def _read(content: Content, offset: int, length: int) -> bytes:
    if isinstance(content, HostFile):
        with FileSource(Path(content.path)) as file:
            return file.read(content.offset + offset, length)
    return content[offset : offset + length]
