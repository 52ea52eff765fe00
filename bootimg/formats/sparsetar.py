"""tar as a stream: members with fixed owner, mode and time, sparse ones as GNU tar's old format has them.

The old GNU header (GNU tar's manual, "The Sparse Format", version 0) lists the regions with data; what is
between them is not in the archive.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import Enum

from bootimg.disk.extents import Source
from bootimg.formats.allocation import runs, used_blocks
from bootimg.formats.output import ReadingProgress, Sink
from bootimg.sizes import KIB, MIB

BLOCK = 512
_RECORD = 20 * BLOCK
_GRANULE = 64 * KIB
_IN_HEADER, _IN_EXTENSION = 4, 21

Region = tuple[int, int]
"""Offset and length of data in a sparse member."""


class Dialect(Enum):
    """The magic of a header, with the version."""

    USTAR = b"ustar\x0000"
    OLD_GNU = b"ustar  \x00"


def member(
    name: str,
    size: int,
    *,
    dialect: Dialect = Dialect.USTAR,
    mode: int = 0o644,
    owner: int = 0,
    kind: bytes = b"0",
    tail: bytes = b"",
) -> bytes:
    """A header block; `size` is that of the data that follows, `tail` what the dialect has from 345 on.

    A name has 100 bytes at most.
    """
    encoded = name.encode()
    if len(encoded) > 100:
        raise ValueError(f"the name of a tar member is too long: {name}")
    user = b"root" if owner == 0 else b""
    fields = (
        encoded.ljust(100, b"\0") + _octal(mode, 8) + _octal(owner, 8) + _octal(owner, 8) + _number(size)
        + _octal(0, 12) + b" " * 8 + kind + bytes(100) + dialect.value + user.ljust(32, b"\0")
        + user.ljust(32, b"\0") + bytes(16) + tail
    )  # fmt: skip
    block = bytearray(fields.ljust(BLOCK, b"\0"))
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def write_member(sink: Sink, name: str, data: bytes, dialect: Dialect = Dialect.USTAR) -> None:
    """A member with its data."""
    sink.write(member(name, len(data), dialect=dialect) + data + padding(len(data)))


def padding(size: int) -> bytes:
    """What follows `size` bytes of data to the end of their last block."""
    return bytes(-size % BLOCK)


def end(sink: Sink) -> None:
    """The end of the archive, filled up to a record as tar does."""
    sink.skip(2 * BLOCK)
    sink.skip(-sink.position % _RECORD)


def write_sparse(sink: Sink, name: str, source: Source, progress: ReadingProgress) -> None:
    """A disk as a sparse member."""
    regions = data_regions(source)
    for block in _sparse_header(name, source.size, regions):
        sink.write(block)
    for start, length in regions:
        for offset in range(start, start + length, MIB):
            data = source.read(offset, min(MIB, start + length - offset))
            sink.write(data)
            progress.advance(len(data))
        sink.write(padding(length))
    progress.finish()


def data_regions(source: Source) -> list[Region]:
    """The regions with data; an empty one at the end where the disk ends in a hole."""
    size = source.size
    regions = [
        (first * _GRANULE, min(count * _GRANULE, size - first * _GRANULE))
        for first, count in runs(used_blocks(source, _GRANULE))
    ]
    if not regions or sum(regions[-1]) < size:
        regions.append((size, 0))
    return regions


def _sparse_header(name: str, size: int, regions: Sequence[Region]) -> Iterable[bytes]:
    """The header and as many extension blocks as the regions need."""
    first, rest = regions[:_IN_HEADER], regions[_IN_HEADER:]
    stored = sum(length for _, length in regions)
    tail = bytes(41) + _map(first, _IN_HEADER) + (b"\1" if rest else b"\0") + _number(size)
    yield member(name, stored, dialect=Dialect.OLD_GNU, kind=b"S", tail=tail)
    while rest:
        here, rest = rest[:_IN_EXTENSION], rest[_IN_EXTENSION:]
        yield (_map(here, _IN_EXTENSION) + (b"\1" if rest else b"\0")).ljust(BLOCK, b"\0")


def _map(regions: Iterable[Region], places: int) -> bytes:
    return b"".join(_number(value) for region in regions for value in region).ljust(places * 24, b"\0")


def member_size(block: bytes, name: str) -> int | None:
    """The size, unpacked, of the member `name` whose header is this block; None where it is not one."""
    if len(block) < BLOCK or block[:100].rstrip(b"\0") != name.encode():
        return None
    return _value(block[483:495] if block[156:157] == b"S" else block[124:136])


def _value(field: bytes) -> int | None:
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    digits = field.rstrip(b"\0 ")
    return int(digits, 8) if re.fullmatch(rb"[0-7]+", digits) else None


def _octal(value: int, width: int) -> bytes:
    return b"%0*o\0" % (width - 1, value)


def _number(value: int) -> bytes:
    """12 bytes: octal up to 8 GiB, GNU's binary form above."""
    return _octal(value, 12) if value < 8**11 else b"\x80" + value.to_bytes(11, "big")
