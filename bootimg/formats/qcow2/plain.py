"""qcow2 version 3 ("compat 1.1") written front to back in one pass, all metadata first.

The writer finds the clusters to allocate before it writes the first byte.  So the header, the refcounts and
the L1 and L2 tables can precede the data, and the file is hashed while it grows.  The format is that of
QEMU's docs/interop/qcow2.txt.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bootimg.disk.extents import Source
from bootimg.events import Step
from bootimg.formats.allocation import runs, used_blocks
from bootimg.formats.compression.writer import Packing, open_output
from bootimg.formats.output import ReadingProgress, Sink, Written, data_length
from bootimg.sizes import align_up

CLUSTER_BITS = 16
CLUSTER = 1 << CLUSTER_BITS
_MAGIC = b"QFI\xfb"
_HEADER = struct.Struct(">4sIQIIQIIQQIIQQQQIIB7x")
COPIED = 1 << 63
_L2_ENTRIES = CLUSTER // 8
_REFCOUNT_ORDER = 4
_REFCOUNTS = CLUSTER * 8 >> _REFCOUNT_ORDER
_SECTOR = 512
_RUN = 32


@dataclass(frozen=True, slots=True)
class ClusterLayout:
    """The layout of the file; offsets are in clusters, `allocated` are indices of guest clusters."""

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
        """The number of L1 entries, one for each 512 MiB."""
        return -(-self.size // (CLUSTER * _L2_ENTRIES))


def write_plain(source: Source, out: Path, step: Step | None, packing: Packing) -> Written:
    """Write a source as a qcow2 without clusters of zeros; the size is rounded up to sectors."""
    image = PlainImage(source)
    with open_output(out, packing, image.size) as file:
        image.write_to(file, ReadingProgress(step, data_length(source)))
        return file.finish(out)


class PlainImage:
    """A source as an uncompressed qcow2 whose size is known before it is written."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.layout = plan(source.size, list(used_blocks(source, CLUSTER)))

    @property
    def size(self) -> int:
        """The file's size in bytes."""
        return self.layout.total * CLUSTER

    def write_to(self, sink: Sink, progress: ReadingProgress) -> None:
        """Write the whole file."""
        _write(self._source, self.layout, sink, progress)


def plan(size: int, allocated: Sequence[int], data: int | None = None) -> ClusterLayout:
    """Lay out an image of `size` bytes whose guest clusters `allocated` (in order) have data.

    `data` is the number of the file's clusters for that data, if it is not one for each.
    """
    data = len(allocated) if data is None else data
    size = align_up(size, _SECTOR)
    l1 = max(1, -(-(-(-size // (CLUSTER * _L2_ENTRIES)) * 8) // CLUSTER))
    l2 = len({index // _L2_ENTRIES for index in allocated})
    blocks = table = 1
    while True:
        total = 1 + table + blocks + l1 + l2 + data
        wanted = -(-total // _REFCOUNTS)
        if wanted == blocks and -(-blocks * 8 // CLUSTER) == table:
            break
        blocks, table = wanted, -(-wanted * 8 // CLUSTER)
    first_l1 = 1 + table + blocks
    return ClusterLayout(size, allocated, 1, 1 + table, first_l1, first_l1 + l1, first_l1 + l1 + l2, total)


def _write(
    source: Source,
    layout: ClusterLayout,
    sink: Sink,
    progress: ReadingProgress,
) -> None:
    entries = [(layout.data + number) * CLUSTER | COPIED for number in range(len(layout.allocated))]
    for part in metadata(layout, entries, []):
        sink.write(part)
    for first, count in runs(layout.allocated, _RUN):
        data = source.read(first * CLUSTER, min(count * CLUSTER, source.size - first * CLUSTER))
        sink.write(data.ljust(count * CLUSTER, b"\0"))
        progress.advance(len(data))
    progress.finish()


def metadata(
    layout: ClusterLayout,
    entries: Sequence[int],
    shared: Sequence[int],
) -> Iterator[bytes]:
    """All clusters before the data.

    `entries` are the L2 entries of the guest clusters `layout.allocated`; `shared` are the refcounts of the
    file's first data clusters, which may differ from 1.
    """
    yield _header(layout)
    yield _refcount_table(layout)
    yield _refcount_blocks(layout, shared)
    yield _l1(layout)
    yield from _l2_tables(layout, entries)


def _header(layout: ClusterLayout) -> bytes:
    fields = _HEADER.pack(
        _MAGIC, 3, 0, 0, CLUSTER_BITS, layout.size, 0, layout.l1_entries, layout.l1 * CLUSTER,
        layout.refcount_table * CLUSTER, layout.refcount_blocks - layout.refcount_table,
        0, 0, 0, 0, 0, _REFCOUNT_ORDER, _HEADER.size, 0,
    )  # fmt: skip
    return fields.ljust(CLUSTER, b"\0")


def _refcount_table(layout: ClusterLayout) -> bytes:
    blocks = range(layout.refcount_blocks, layout.l1)
    return _table([index * CLUSTER for index in blocks])


def _refcount_blocks(layout: ClusterLayout, shared: Sequence[int]) -> bytes:
    clusters = (layout.l1 - layout.refcount_blocks) * CLUSTER
    others = layout.total - layout.data - len(shared)
    counts = b"\0\1" * layout.data + struct.pack(f">{len(shared)}H", *shared) + b"\0\1" * others
    return counts.ljust(clusters, b"\0")


def _l1(layout: ClusterLayout) -> bytes:
    entries = [0] * layout.l1_entries
    present = sorted({index // _L2_ENTRIES for index in layout.allocated})
    for number, index in enumerate(present):
        entries[index] = (layout.l2 + number) * CLUSTER | COPIED
    return _table(entries).ljust((layout.l2 - layout.l1) * CLUSTER, b"\0")


def _l2_tables(layout: ClusterLayout, entries: Sequence[int]) -> Iterator[bytes]:
    table: list[int] = []
    current = -1
    for entry, index in zip(entries, layout.allocated, strict=True):
        if index // _L2_ENTRIES != current:
            if current >= 0:
                yield _table(table)
            current, table = index // _L2_ENTRIES, [0] * _L2_ENTRIES
        table[index % _L2_ENTRIES] = entry
    if current >= 0:
        yield _table(table)


def _table(entries: Sequence[int]) -> bytes:
    packed = struct.pack(f">{len(entries)}Q", *entries)
    return packed.ljust(align_up(len(packed), CLUSTER), b"\0")
