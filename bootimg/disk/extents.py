"""The data and holes of disk files, and disks as readable sources.

Code that makes an artifact reads a `Source`: only its data extents, in order, once.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from bootimg.sizes import MIB
from bootimg.storagefaults import named
from bootimg.untrusted.files import regular_descriptor

_ZEROS = bytes(MIB)


@dataclass(frozen=True, slots=True)
class Extent:
    """`length` bytes from `offset` on, either data or a hole (which reads as zeros)."""

    offset: int
    length: int
    data: bool

    @property
    def end(self) -> int:
        """The offset of the first byte after the extent."""
        return self.offset + self.length


class Source(Protocol):
    """The content of a disk: a size in bytes, extents that cover it in order, random reads."""

    @property
    def size(self) -> int:
        """The disk's size in bytes."""

    def extents(self) -> Iterator[Extent]:
        """Data and holes, in order, without gap or overlap, from 0 to `size`."""

    def read(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes; holes read as zeros.  The range must be inside the disk."""


class FileSource:
    """A raw disk file as a source; opened read-only, closed by the context."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = regular_descriptor(path, block_device=True)
        self._size = os.lseek(self._fd, 0, os.SEEK_END)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._fd)

    @property
    def size(self) -> int:
        """The file's size in bytes."""
        return self._size

    def extents(self) -> Iterator[Extent]:
        """The file's data and holes."""
        return file_extents(self._fd, 0, self._size)

    def read(self, offset: int, length: int) -> bytes:
        """Bytes of the file."""
        try:
            return read_exactly(self._fd, offset, length)
        except OSError as error:
            named(error, self.path)
            raise


def read_exactly(fd: int, offset: int, length: int) -> bytes:
    """Read `length` bytes at `offset`; EOFError if the file ends before that."""
    data = os.pread(fd, length, offset)
    if len(data) == length:
        return data
    parts, done = [data], len(data)
    while done < length:
        part = os.pread(fd, length - done, offset + done)
        if not part:
            raise EOFError(f"the file ends {length - done} bytes before {offset + length}")
        parts.append(part)
        done += len(part)
    return b"".join(parts)


def write_fully(fd: int, data: bytes | memoryview, offset: int) -> None:
    """Write all of `data` at `offset`, also if the kernel writes only a part at a time."""
    view = memoryview(data)
    while view:
        count = os.pwrite(fd, view, offset)
        view, offset = view[count:], offset + count


def file_extents(fd: int, start: int, end: int) -> Iterator[Extent]:
    """Data and holes of a file from `start` to `end`, by SEEK_DATA and SEEK_HOLE.

    A filesystem without them returns EINVAL; then the whole range is one data extent.
    """
    position = start
    while position < end:
        data = min(_seek(fd, position, os.SEEK_DATA, end), end)
        if data > position:
            yield Extent(position, data - position, data=False)
        if data == end:
            return
        position = min(_seek(fd, data, os.SEEK_HOLE, end), end)
        yield Extent(data, position - data, data=True)


def _seek(fd: int, offset: int, whence: int, end: int) -> int:
    try:
        return os.lseek(fd, offset, whence)
    except OSError as error:
        if error.errno == errno.ENXIO:
            return end
        if error.errno == errno.EINVAL:
            return offset if whence == os.SEEK_DATA else end
        raise


def is_zero(data: bytes | memoryview) -> bool:
    """Whether every byte is zero."""
    length = len(data)
    if length <= len(_ZEROS):
        # == compares a memoryview byte by byte, a hundred times slower.
        return _ZEROS.startswith(data)
    view = memoryview(data)
    return all(is_zero(view[at : at + MIB]) for at in range(0, length, MIB))


def data_chunks(source: Source, start: int, end: int, chunk: int) -> Iterator[tuple[int, int]]:
    """(offset, length) of the data between `start` and `end`, at most `chunk` bytes at a time."""
    for extent in source.extents():
        if extent.data:
            low, high = max(extent.offset, start), min(extent.end, end)
            for offset in range(low, high, chunk):
                yield offset, min(chunk, high - offset)


def copy_sparse(source: Source, target: Path, *, offset: int = 0, length: int | None = None) -> None:
    """Copy a range of a source to a new file; holes and all-zero MiB become holes."""
    end = source.size if length is None else offset + length
    fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.ftruncate(fd, end - offset)
        for at, amount in data_chunks(source, offset, end, MIB):
            data = source.read(at, amount)
            if not is_zero(data):
                write_fully(fd, data, at - offset)
    except OSError as error:
        named(error, target)
        raise
    finally:
        os.close(fd)
