"""A disk that whoever reads it stops reading when the job shall end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bootimg.disk.extents import Extent, Source
from bootimg.jobs import Stop


@dataclass(frozen=True, slots=True)
class StoppableSource:
    """A source that ends whoever reads it when the stop is requested."""

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
