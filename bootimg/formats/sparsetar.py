"""A disk as a sparse member of a tar, in GNU tar's old format, and the end of an archive."""

from __future__ import annotations

import re

from bootimg.disk.extents import Source
from bootimg.formats.allocation import runs, used_blocks
from bootimg.formats.output import ReadingProgress, Sink
from bootimg.sizes import KIB, MIB
from bootimg.tarstream import BLOCK, END, RECORD, Region, padding, sparse_headers

_GRANULE = 64 * KIB


def end(sink: Sink) -> None:
    """The end of the archive, filled up to a record as tar does."""
    sink.skip(len(END))
    sink.skip(-sink.position % RECORD)


def write_sparse(sink: Sink, name: str, source: Source, progress: ReadingProgress) -> None:
    """A disk as a sparse member."""
    regions = data_regions(source)
    for block in sparse_headers(name, source.size, regions):
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
