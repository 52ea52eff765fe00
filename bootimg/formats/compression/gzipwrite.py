"""gzip as one member, compressed block by block on threads (RFC 1952).

coreos-installer refuses several members.  Each block ends with a sync flush and may refer to the 32 KiB
before it.  But a block never refers to a block of zeros, and a block of zeros refers to nothing.  So the
output is the same whether zeros are written or skipped.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import cache
from types import TracebackType
from typing import Self

from isal import isal_zlib

from bootimg.disk.extents import is_zero
from bootimg.formats.compression import deflate
from bootimg.formats.compression.parallel import InOrder
from bootimg.formats.crc import crc32_zeros
from bootimg.sizes import KIB

BLOCK = 128 * KIB
_WINDOW = 32 * KIB
_AT_ONCE = 64
_HEADER = b"\x1f\x8b\x08\0\0\0\0\0\0\x03"


class GzipCodec:
    """Compresses its input; the header has no name and no time."""

    def __init__(self, put: Callable[[bytes], None], threads: int) -> None:
        self._blocks = InOrder(put, threads)
        self._pending = bytearray()
        self._before = b""
        self._crc = self._length = 0
        put(_HEADER)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._blocks.__exit__(kind, error, trace)

    def write(self, data: bytes) -> None:
        """Compress `data`."""
        self._crc = isal_zlib.crc32(data, self._crc)
        self._length += len(data)
        self._append(data)

    def skip(self, length: int) -> None:
        """Compress zeros; the compressed form of a block of zeros is cached."""
        self._crc = crc32_zeros(self._crc, length)
        self._length += length
        head = min(length, -len(self._pending) % BLOCK)
        self._append(bytes(head))
        whole, rest = divmod(length - head, BLOCK)
        for done in range(0, whole, _AT_ONCE):
            self._blocks.put(_zero_block() * min(_AT_ONCE, whole - done))
        if whole:
            self._before = b""
        self._append(bytes(rest))

    def finish(self) -> None:
        """Write the last block and the trailer."""
        self._blocks.submit(deflate.raw, bytes(self._pending), self._before, last=True)
        self._blocks.put(struct.pack("<II", self._crc, self._length & 0xFFFFFFFF))
        self._blocks.drain()

    def _append(self, data: bytes) -> None:
        self._pending += data
        whole = len(self._pending) // BLOCK * BLOCK
        for at in range(0, whole, BLOCK):
            self._block(bytes(self._pending[at : at + BLOCK]))
        del self._pending[:whole]

    def _block(self, data: bytes) -> None:
        if is_zero(data):
            self._blocks.put(_zero_block())
            self._before = b""
        else:
            self._blocks.submit(deflate.raw, data, self._before)
            self._before = data[-_WINDOW:]


@cache
def _zero_block() -> bytes:
    return deflate.raw(bytes(BLOCK))
