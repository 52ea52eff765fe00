"""The part of an image file that holds the file system."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from bootimg.disk.xfs.errors import not_fresh


@dataclass(frozen=True, slots=True)
class Partition:
    """An open image and the byte at which the file system starts in it."""

    fd: int
    offset: int = 0
    metadata: list[tuple[int, int]] = field(default_factory=list)
    """Where metadata lies in the file system: start and length in bytes, in the order of writing."""

    def read(self, at: int, size: int) -> bytes:
        """All `size` bytes from the byte `at` of the file system on."""
        data = os.pread(self.fd, size, self.offset + at)
        if len(data) != size:
            raise not_fresh("the image ends too early")
        return data

    def write_metadata(self, at: int, data: bytes | bytearray | memoryview) -> None:
        """Write metadata, and note its place."""
        self.metadata.append((at, len(data)))
        self.write(at, data)

    def write(self, at: int, data: bytes | bytearray | memoryview) -> None:
        """Write all of `data` at the byte `at` of the file system."""
        view = memoryview(data)
        while view:
            done = os.pwrite(self.fd, view, self.offset + at)
            at += done
            view = view[done:]
