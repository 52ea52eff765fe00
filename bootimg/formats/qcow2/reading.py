"""qcow2 images as sources, as far as bootimg writes them: uncompressed, without a backing file."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Self

from bootimg.disk.extents import Extent, FileSource, Source, read_exactly
from bootimg.errors import BootimgError
from bootimg.formats.qcow2.plain import HEADER, MAGIC
from bootimg.vm.diskimage import refuse_references

_OFFSET = 0x00FFFFFFFFFFFE00
_COMPRESSED = 1 << 62
_ZERO = 1


class Qcow2Source:
    """The guest's disk inside a qcow2 file; other kinds of qcow2 are `qcow2-unsupported`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._open()
        except BaseException:
            os.close(self._fd)
            raise

    def _open(self) -> None:
        fields = HEADER.unpack(self._bytes(0, HEADER.size))
        magic, version, backing, _, bits, size, crypt, l1_size, l1_at = fields[:9]
        incompatible = fields[13] if version >= 3 else 0
        if magic != MAGIC or version not in (2, 3) or not 9 <= bits <= 21:
            raise _unsupported(self.path, f"it is no qcow2 of a known version ({version})")
        refuse_references(self.path)
        if backing or crypt or incompatible:
            raise _unsupported(self.path, "it has features not known here")
        self._bits: int = bits
        self._size: int = size
        self._l1: tuple[int, ...] = struct.unpack(f">{l1_size}Q", self._bytes(l1_at, l1_size * 8))
        if l1_size << (2 * bits - 3) < size:
            raise _unsupported(self.path, f"its tables are not those of a disk of {size} bytes")
        tables = [at & _OFFSET for at in self._l1 if at & _OFFSET]
        # Else a small file could describe more clusters than anybody can look at.
        if len(set(tables)) != len(tables):
            raise _unsupported(self.path, "two parts of the disk have the same table")
        self._l2: dict[int, tuple[int, ...]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._fd)

    @property
    def size(self) -> int:
        """The virtual size in bytes."""
        return self._size

    def extents(self) -> Iterator[Extent]:
        """Allocated clusters as data, all else as holes."""
        start, data = 0, False
        for offset, here in self._parts():
            if here != data:
                if offset > start:
                    yield Extent(start, offset - start, data=data)
                start, data = offset, here
        if self._size > start:
            yield Extent(start, self._size - start, data=data)

    def _parts(self) -> Iterator[tuple[int, bool]]:
        """Where each cluster begins, and whether it is there; what has no table is one part."""
        per_table = 1 << (self._bits - 3)
        for number, table in enumerate(self._l1):
            for index in range(per_table if table & _OFFSET else 1):
                cluster = number * per_table + index
                if cluster << self._bits >= self._size:
                    return
                yield cluster << self._bits, self._cluster(cluster) is not None

    def read(self, offset: int, length: int) -> bytes:
        """Bytes of the guest's disk."""
        if offset < 0 or offset + length > self._size:
            raise EOFError(f"{length} bytes at {offset} are not inside a disk of {self._size}")
        parts = []
        while length:
            inside = offset & ((1 << self._bits) - 1)
            amount = min(length, (1 << self._bits) - inside)
            at = self._cluster(offset >> self._bits)
            parts.append(bytes(amount) if at is None else self._bytes(at + inside, amount))
            offset, length = offset + amount, length - amount
        return b"".join(parts)

    def _cluster(self, index: int) -> int | None:
        """Where a guest cluster is in the file; None if it is not."""
        per_table = 1 << (self._bits - 3)
        number = index // per_table
        table_at = self._l1[number] & _OFFSET
        if not table_at:
            return None
        if number not in self._l2:
            self._l2[number] = struct.unpack(f">{per_table}Q", self._bytes(table_at, per_table * 8))
        entry = self._l2[number][index % per_table]
        if entry & _COMPRESSED:
            raise _unsupported(self.path, "its clusters are compressed")
        return None if entry & _ZERO else (entry & _OFFSET) or None

    def _bytes(self, offset: int, length: int) -> bytes:
        if offset + length > os.fstat(self._fd).st_size:
            raise _unsupported(self.path, "it is cut short")
        return read_exactly(self._fd, offset, length)


def open_disk(path: Path) -> AbstractContextManager[Source]:
    """A disk image as a source, qcow2 or raw by what its first bytes say."""
    with path.open("rb") as file:
        qcow2 = file.read(4) == MAGIC
    return Qcow2Source(path) if qcow2 else FileSource(path)


def _unsupported(path: Path, why: str) -> BootimgError:
    return BootimgError(
        "qcow2-unsupported",
        f"{path} cannot be read: {why}",
        hint="convert it with `qemu-img convert -O raw`",
    )
