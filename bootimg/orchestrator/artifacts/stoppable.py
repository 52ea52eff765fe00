"""A disk source whose reading stops when its job is told to stop."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bootimg.disk.extents import Extent, Source
from bootimg.jobs import Stop


@dataclass(frozen=True, slots=True)
class StoppableSource:
    """A source that raises `StoppedError` in its reader once the stop is requested."""

    source: Source
    stop: Stop

    @property
    def size(self) -> int:
        """The source's size in bytes."""
        return self.source.size

    def extents(self) -> Iterator[Extent]:
        """The source's extents."""
        return self.source.extents()

    def read(self, offset: int, length: int) -> bytes:
        """The source's bytes."""
        self.stop.check()
        return self.source.read(offset, length)
