"""xz as one stream of many blocks, compressed on threads (the .xz file format, version 1.2.1).

liblzma makes each block as a separate stream.  The writer extracts the blocks and joins them under one
index, as `xz -T` does.
"""

from __future__ import annotations

import lzma
import struct
import threading
import zlib
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from types import TracebackType
from typing import Self

from bootimg.formats.compression.parallel import InOrder, processors
from bootimg.sizes import MIB

BLOCK = 16 * MIB
SMALL_BLOCK = MIB
PRESET = 6
MEMORY = 94 * MIB + 3 * BLOCK
"""The memory of each thread in bytes, for the memory budget."""
_ENCODERS = threading.BoundedSemaphore(processors())
"""Artifacts made in parallel share these encoders, because more encoders than processors gain nothing."""
_EDGE = 12
_MAGIC = b"\xfd7zXZ\0"

Block = tuple[bytes, int, int]
"""Padded bytes, unpadded size, uncompressed size."""


class XzCodec:
    """Compresses its input."""

    def __init__(self, put: Callable[[bytes], None], threads: int) -> None:
        self._put = put
        self._blocks: InOrder[Block] = InOrder(self._take, threads, threads)
        self._pending: list[bytes] = []
        self._room = BLOCK
        self._records = bytearray()
        self._count = 0
        put(_head(lzma.CHECK_CRC64))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._blocks.__exit__(kind, error, trace)

    def write(self, data: bytes) -> None:
        """Compress `data`."""
        while len(data) >= self._room:
            room = self._room
            self._pending.append(data[:room])
            self._submit()
            data = data[room:]
        if data:
            self._pending.append(data)
            self._room -= len(data)

    def skip(self, length: int) -> None:
        """Compress zeros; the compressed form of a block of zeros is cached."""
        head = min(length, self._room % BLOCK)
        self.write(bytes(head))
        whole, rest = divmod(length - head, BLOCK)
        for _ in range(whole):
            self._blocks.put(_zero_block(BLOCK))
        self.write(bytes(rest))

    def zero_blocks(self, length: int) -> None:
        """Compress zeros apart from all data, as blocks of BLOCK and of SMALL_BLOCK bytes.

        `length` must be a multiple of SMALL_BLOCK.  Unlike `skip`, this never compresses zeros together with
        data, which takes long; the output differs from that of written zeros.
        """
        if self._pending:
            self._submit()
        whole, rest = divmod(length, BLOCK)
        for size in (*[BLOCK] * whole, *[SMALL_BLOCK] * (rest // SMALL_BLOCK)):
            self._blocks.put(_zero_block(size))

    def finish(self) -> None:
        """Write the last block, the index and the footer."""
        if self._pending:
            self._submit()
        self._blocks.drain()
        self._put(_tail(self._count, bytes(self._records), lzma.CHECK_CRC64))

    def _submit(self) -> None:
        self._blocks.submit(compress, self._pending)
        self._pending, self._room = [], BLOCK

    def _take(self, block: Block) -> None:
        data, unpadded, length = block
        self._put(data)
        self._records += _record(unpadded, length)
        self._count += 1


def xz_stream(parts: Iterable[bytes], *, check: int, preset: int) -> bytes:
    """A stream that has a block for each of the parts, none of which may be empty."""
    blocks = [compress([part], check, preset) for part in parts]
    records = b"".join(_record(unpadded, length) for _, unpadded, length in blocks)
    return _head(check) + b"".join(data for data, _, _ in blocks) + _tail(len(blocks), records, check)


def compress(parts: Sequence[bytes], check: int = lzma.CHECK_CRC64, preset: int = PRESET) -> Block:
    """One block of all parts, which must not be empty."""
    with _ENCODERS:
        packer = lzma.LZMACompressor(lzma.FORMAT_XZ, check, preset)
        stream = b"".join([*map(packer.compress, parts), packer.flush()])
    index = (int.from_bytes(stream[-8:-4], "little") + 1) * 4
    records = stream[-_EDGE - index : -_EDGE]
    return stream[_EDGE : -_EDGE - index], _first_number(records[2:]), sum(map(len, parts))


@cache
def _zero_block(size: int) -> Block:
    return compress([bytes(size)])


def _head(check: int) -> bytes:
    flags = bytes((0, check))
    return _MAGIC + flags + struct.pack("<I", zlib.crc32(flags))


def _record(unpadded: int, length: int) -> bytes:
    return _number(unpadded) + _number(length)


def _tail(count: int, records: bytes, check: int) -> bytes:
    """The index and the footer."""
    index = b"\0" + _number(count) + records
    index += bytes(-len(index) % 4)
    index += struct.pack("<I", zlib.crc32(index))
    footer = struct.pack("<I", len(index) // 4 - 1) + bytes((0, check))
    return index + struct.pack("<I", zlib.crc32(footer)) + footer + b"YZ"


def _number(value: int) -> bytes:
    """An integer in the format's encoding: seven bits per byte, the lowest first."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _first_number(data: bytes) -> int:
    value = 0
    for place, byte in enumerate(data):
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            break
    return value
