"""qcow2 version 3 ("compat 1.1") written front to back in one pass, all metadata first.

Which clusters get allocated is found out before the first byte is written, so that header, refcounts,
L1 and L2 tables can go in front and the digest can be taken as the file grows.  The format is that of
QEMU's docs/interop/qcow2.txt.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bootimg.atomic import whole_file
from bootimg.disk.extents import Source, is_zero
from bootimg.events import Step
from bootimg.formats.written import DigestingFile, Progress, Written, data_length, refuse_options
from bootimg.sizes import align_up

CLUSTER_BITS = 16
CLUSTER = 1 << CLUSTER_BITS
MAGIC = b"QFI\xfb"
HEADER = struct.Struct(">4sIQIIQIIQQIIQQQQIIB7x")
BACKING_FORMAT = 0xE2792ACA
COPIED = 1 << 63
_L2_ENTRIES = CLUSTER // 8
_REFCOUNT_ORDER = 4
_REFCOUNTS = CLUSTER * 8 >> _REFCOUNT_ORDER
_SECTOR = 512
_PROBE = 512
_RUN = 32
_OPTIONS: Mapping[str, tuple[str | bool, ...]] = {"compat": ("1.1",), "compression": (False,)}


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything goes; offsets are in clusters, `allocated` are indices of guest clusters."""

    size: int
    allocated: Sequence[int]
    refcount_table: int
    refcount_blocks: int
    l1: int
    l2: int
    data: int
    total: int

    @property
    def l1_entries(self) -> int:
        """One for each 512 MiB."""
        return -(-self.size // (CLUSTER * _L2_ENTRIES))


def write_qcow2(source: Source, out: Path, options: Mapping[str, str | bool], step: Step | None) -> Written:
    """Write a source as a qcow2; clusters of zeros are left out, the size is rounded up to sectors.

    `options` are osbuild's for qcow2: `compat` 1.1 and no `compression`; others are refused as
    `format-option-unsupported`.
    """
    refuse_options("qcow2", options, _OPTIONS)
    layout = plan(source.size, list(_used_clusters(source)))
    return _write(source, layout, out, Progress(step, data_length(source)))


def write_overlay(
    source: Source, ranges: Iterable[tuple[int, int]], out: Path, *, backing: Path, backing_format: str
) -> Written:
    """Write a qcow2 on top of the image `backing`, with the clusters that `ranges` touch alone.

    `ranges` are (offset, length); `source` is the whole disk as the overlay shall show it.
    """
    touched = {
        index
        for offset, length in ranges
        for index in range(offset // CLUSTER, -(-(offset + length) // CLUSTER))
    }
    layout = plan(source.size, sorted(touched))
    return _write(source, layout, out, Progress(None, 0), os.fsencode(backing.absolute()), backing_format)


def plan(size: int, allocated: Sequence[int]) -> Layout:
    """Lay out an image of `size` bytes whose guest clusters `allocated` (in order) have data."""
    size = align_up(size, _SECTOR)
    l1 = max(1, -(-(-(-size // (CLUSTER * _L2_ENTRIES)) * 8) // CLUSTER))
    l2 = len({index // _L2_ENTRIES for index in allocated})
    blocks = table = 1
    while True:
        total = 1 + table + blocks + l1 + l2 + len(allocated)
        wanted = -(-total // _REFCOUNTS)
        if wanted == blocks and -(-blocks * 8 // CLUSTER) == table:
            break
        blocks, table = wanted, -(-wanted * 8 // CLUSTER)
    first_l1 = 1 + table + blocks
    return Layout(size, allocated, 1, 1 + table, first_l1, first_l1 + l1, first_l1 + l1 + l2, total)


def _used_clusters(source: Source) -> Iterator[int]:
    """Guest clusters that are not all zeros; mostly the first bytes of one tell."""
    done = -1
    for extent in source.extents():
        if not extent.data:
            continue
        for index in range(max(extent.offset // CLUSTER, done + 1), -(-extent.end // CLUSTER)):
            offset = index * CLUSTER
            length = min(CLUSTER, source.size - offset)
            probe = source.read(offset, min(_PROBE, length))
            if not (is_zero(probe) and is_zero(source.read(offset, length))):
                done = index
                yield index
            done = index


def _write(
    source: Source,
    layout: Layout,
    out: Path,
    progress: Progress,
    backing: bytes = b"",
    backing_format: str = "",
) -> Written:
    with whole_file(out, need=layout.total * CLUSTER) as handle, DigestingFile(handle) as file:
        file.write(_header(layout, backing, backing_format))
        for table in (_refcount_table(layout), _refcount_blocks(layout), _l1(layout)):
            file.write(table)
        for table in _l2_tables(layout):
            file.write(table)
        for first, count in _runs(layout.allocated):
            data = source.read(first * CLUSTER, min(count * CLUSTER, source.size - first * CLUSTER))
            file.write(data.ljust(count * CLUSTER, b"\0"))
            progress.advance(len(data))
        progress.finish()
        return file.finish(out)


def _runs(allocated: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Guest clusters that follow each other, as (first, count), at most 2 MiB at a time."""
    first = count = 0
    for index in allocated:
        if count and index == first + count and count < _RUN:
            count += 1
            continue
        if count:
            yield first, count
        first, count = index, 1
    if count:
        yield first, count


def _header(layout: Layout, backing: bytes, backing_format: str) -> bytes:
    extensions = b""
    if backing:
        name = backing_format.encode()
        extensions = struct.pack(">II", BACKING_FORMAT, len(name)) + name.ljust(align_up(len(name), 8), b"\0")
    extensions += bytes(8)
    backing_at = HEADER.size + len(extensions) if backing else 0
    fields = HEADER.pack(
        MAGIC, 3, backing_at, len(backing), CLUSTER_BITS, layout.size, 0, layout.l1_entries,
        layout.l1 * CLUSTER, layout.refcount_table * CLUSTER, layout.refcount_blocks - layout.refcount_table,
        0, 0, 0, 0, 0, _REFCOUNT_ORDER, HEADER.size, 0,
    )  # fmt: skip
    return (fields + extensions + backing).ljust(CLUSTER, b"\0")


def _refcount_table(layout: Layout) -> bytes:
    blocks = range(layout.refcount_blocks, layout.l1)
    return _table([index * CLUSTER for index in blocks])


def _refcount_blocks(layout: Layout) -> bytes:
    count = layout.l1 - layout.refcount_blocks
    return (b"\0\1" * layout.total).ljust(count * CLUSTER, b"\0")


def _l1(layout: Layout) -> bytes:
    entries = [0] * layout.l1_entries
    present = sorted({index // _L2_ENTRIES for index in layout.allocated})
    for number, index in enumerate(present):
        entries[index] = (layout.l2 + number) * CLUSTER | COPIED
    return _table(entries).ljust((layout.l2 - layout.l1) * CLUSTER, b"\0")


def _l2_tables(layout: Layout) -> Iterator[bytes]:
    entries: list[int] = []
    current = -1
    for number, index in enumerate(layout.allocated):
        if index // _L2_ENTRIES != current:
            if current >= 0:
                yield _table(entries)
            current, entries = index // _L2_ENTRIES, [0] * _L2_ENTRIES
        entries[index % _L2_ENTRIES] = (layout.data + number) * CLUSTER | COPIED
    if current >= 0:
        yield _table(entries)


def _table(entries: Sequence[int]) -> bytes:
    packed = struct.pack(f">{len(entries)}Q", *entries)
    return packed.ljust(align_up(len(packed), CLUSTER), b"\0")
