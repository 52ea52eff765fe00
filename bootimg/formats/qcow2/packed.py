"""qcow2 with compressed clusters, as `qemu-img convert -c` makes it, deflated on threads.

The tables with the cluster offsets are first in the file.  So compressed clusters go to an unnamed
temporary file until all sizes are known.  Clusters that do not shrink follow them uncompressed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from bootimg.atomic import enough_space
from bootimg.disk.extents import Source
from bootimg.events import Step
from bootimg.formats.allocation import used_blocks
from bootimg.formats.compression import deflate
from bootimg.formats.compression.parallel import InOrder
from bootimg.formats.compression.writer import Packing, open_output
from bootimg.formats.output import ReadingProgress, Sink, Written, data_length, refuse_options
from bootimg.formats.qcow2.plain import CLUSTER, CLUSTER_BITS, COPIED, metadata, plan, write_plain
from bootimg.sizes import MIB, align_up

_COMPRESSED = 1 << 62
_SECTORS_SHIFT = 62 - (CLUSTER_BITS - 8)
_SECTOR = 512
_WINDOW = 12
_OPTIONS: Mapping[str, tuple[str | bool, ...]] = {"compat": ("1.1",), "compression": (False, True)}


def write_qcow2(
    source: Source,
    out: Path,
    options: Mapping[str, str | bool],
    step: Step | None,
    packing: Packing | None = None,
) -> Written:
    """Write a qcow2, plain or with `compression` (default False), without clusters of zeros.

    `options` are osbuild's for qcow2: `compat` 1.1 and `compression`; others are
    `format-option-unsupported`.  The size is rounded up to sectors.
    """
    refuse_options("qcow2", options, _OPTIONS)
    packing = packing or Packing()
    if options.get("compression", False):
        return _write_packed(source, out, step, packing)
    return write_plain(source, out, step, packing)


def _write_packed(source: Source, out: Path, step: Step | None, packing: Packing) -> Written:
    allocated = list(used_blocks(source, CLUSTER))
    need = len(allocated) * CLUSTER
    with enough_space(out.parent, need), tempfile.TemporaryFile(dir=out.parent) as spool:
        sizes = _pack(source, allocated, spool, packing.threads, ReadingProgress(step, data_length(source)))
        with open_output(out, packing, need) as file:
            _emit(source, allocated, sizes, spool, file)
            return file.finish(out)


def _pack(
    source: Source, allocated: Sequence[int], spool: BinaryIO, threads: int, progress: ReadingProgress
) -> list[int]:
    """Compress clusters into `spool`; returns the size of each there, 0 for one that does not shrink."""
    sizes: list[int] = []

    def take(packed: bytes) -> None:
        small = len(packed) < CLUSTER
        sizes.append(len(packed) if small else 0)
        if small:
            spool.write(packed)
        progress.advance(CLUSTER)

    with InOrder(take, threads, 64 * threads) as pool:
        for index in allocated:
            pool.submit(_deflate, _cluster(source, index))
        pool.drain()
    progress.finish()
    return sizes


def _deflate(data: bytes) -> bytes:
    return deflate.raw(data, last=True, window=_WINDOW)


def _cluster(source: Source, index: int) -> bytes:
    length = min(CLUSTER, source.size - index * CLUSTER)
    return source.read(index * CLUSTER, length).ljust(CLUSTER, b"\0")


def _emit(
    source: Source, allocated: Sequence[int], sizes: Sequence[int], spool: BinaryIO, sink: Sink
) -> None:
    packed = align_up(sum(sizes), CLUSTER) // CLUSTER
    layout = plan(source.size, allocated, packed + sizes.count(0))
    start = layout.data * CLUSTER
    entries = list(_entries(sizes, start, start + packed * CLUSTER))
    for part in metadata(layout, entries, _shared(sizes, packed)):
        sink.write(part)
    spool.seek(0)
    while data := spool.read(MIB):
        sink.write(data)
    sink.write(bytes(-sum(sizes) % CLUSTER))
    for index, size in zip(allocated, sizes, strict=True):
        if not size:
            sink.write(_cluster(source, index))


def _entries(sizes: Sequence[int], packed: int, whole: int) -> Iterator[int]:
    """L2 entries; `packed` and `whole` are the file offsets of compressed and uncompressed clusters."""
    for size in sizes:
        if size:
            extra_sectors = (packed + size - 1) // _SECTOR - packed // _SECTOR
            yield _COMPRESSED | extra_sectors << _SECTORS_SHIFT | packed
            packed += size
        else:
            yield whole | COPIED
            whole += CLUSTER


def _shared(sizes: Sequence[int], clusters: int) -> list[int]:
    """The number of compressed clusters that touch each of the file's first data clusters."""
    counts = [0] * clusters
    at = 0
    for size in sizes:
        if size:
            for cluster in range(at // CLUSTER, (at + size - 1) // CLUSTER + 1):
                counts[cluster] += 1
            at += size
    return counts
