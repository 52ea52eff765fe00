"""VMDK streamOptimized: 64 KiB grains, each deflated, followed by their tables.

The format is that of VMware's "Virtual Disk Format 5.0": header, descriptor, grains, a grain table after
the grains it lists, grain directory, footer and end-of-stream marker, each on 512-byte sectors.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from bootimg.disk.extents import Source
from bootimg.events import Step
from bootimg.formats.allocation import identity, used_blocks
from bootimg.formats.compression import deflate
from bootimg.formats.compression.parallel import InOrder
from bootimg.formats.compression.writer import Packing, open_output
from bootimg.formats.output import ReadingProgress, Sink, Written, data_length, refuse_options
from bootimg.sizes import align_up

GRAIN = 1 << 16
_SECTOR = 512
_GRAIN_SECTORS = GRAIN // _SECTOR
_TABLE = 512
_OVERHEAD = 128
_HEADER = struct.Struct("<4sIIQQQQIQQQB4sH")
_MAGIC = b"KDMV"
_FLAGS = 1 | 1 << 16 | 1 << 17
_AT_END = (1 << 64) - 1
_DEFLATE = 1
_END, _GRAIN_TABLE, _DIRECTORY, _FOOTER = range(4)
_OPTIONS: Mapping[str, tuple[str | bool, ...]] = {
    "adapter_type": ("ide", "lsilogic", "buslogic"),
    "compat6": (False, True),
    "compression": (True,),
    "subformat": ("streamOptimized",),
}


def write_vmdk(
    source: Source,
    out: Path,
    options: Mapping[str, str | bool],
    step: Step | None,
    packing: Packing | None = None,
) -> Written:
    """Write a streamOptimized VMDK without grains of zeros; the size is rounded up to grains.

    `options` are osbuild's for vmdk: `adapter_type`, `compat6`, `compression` true and `subformat`
    streamOptimized (the last two are the defaults); others are `format-option-unsupported`.
    """
    check_options(options)
    packing, total = packing or Packing(), data_length(source)
    with open_output(out, packing, total) as file:
        write_stream(source, file, options, packing.threads, ReadingProgress(step, total))
        return file.finish(out)


def check_options(options: Mapping[str, str | bool]) -> None:
    """Refuse options that the writer does not support: `format-option-unsupported`."""
    refuse_options("vmdk", options, _OPTIONS)


def write_stream(
    source: Source, sink: Sink, options: Mapping[str, str | bool], threads: int, progress: ReadingProgress
) -> None:
    """Write a complete VMDK to `sink`."""
    capacity = align_up(source.size, GRAIN) // _SECTOR
    sink.write(_header(capacity, _AT_END) + _descriptor(source, capacity, options))
    directory = _Tables(sink, capacity)

    def take(grain: tuple[int, bytes]) -> None:
        directory.add(*grain)
        progress.advance(GRAIN)

    with InOrder(take, threads, 64 * threads) as pool:
        for index in used_blocks(source, GRAIN):
            length = min(GRAIN, source.size - index * GRAIN)
            data = source.read(index * GRAIN, length).ljust(GRAIN, b"\0")
            pool.submit(_pack, index, data)
        pool.drain()
    at = directory.finish()
    sink.write(_marker(1, _FOOTER) + _header(capacity, at) + _marker(0, _END))
    progress.finish()


def capacity_of(vmdk: BinaryIO) -> int:
    """The size of the disk in a VMDK, in bytes, from its header; ValueError if it is not a VMDK."""
    vmdk.seek(0)
    magic, _, _, sectors = struct.unpack("<4sIIQ", vmdk.read(20))
    if magic != _MAGIC:
        raise ValueError("no VMDK")
    return int(sectors) * _SECTOR


class _Tables:
    """Writes the grains in order, and each table after its last grain."""

    def __init__(self, sink: Sink, capacity: int) -> None:
        self._sink = sink
        self._directory = [0] * -(-capacity // (_GRAIN_SECTORS * _TABLE))
        self._table = [0] * _TABLE
        self._current = -1

    def add(self, index: int, grain: bytes) -> None:
        """Write the compressed grain `index` of the disk."""
        if index // _TABLE != self._current:
            self._end_table()
            self._current = index // _TABLE
        self._table[index % _TABLE] = self._sink.position // _SECTOR
        self._sink.write(_pad(struct.pack("<QI", index * _GRAIN_SECTORS, len(grain)) + grain))

    def _end_table(self) -> None:
        if self._current >= 0:
            self._directory[self._current] = self._write(self._table, _GRAIN_TABLE)
            self._table = [0] * _TABLE

    def finish(self) -> int:
        """Write the last table and the directory; returns the directory's sector."""
        self._end_table()
        return self._write(self._directory, _DIRECTORY)

    def _write(self, entries: list[int], kind: int) -> int:
        data = _pad(struct.pack(f"<{len(entries)}I", *entries))
        self._sink.write(_marker(len(data) // _SECTOR, kind) + data)
        return (self._sink.position - len(data)) // _SECTOR


def _pack(index: int, data: bytes) -> tuple[int, bytes]:
    return index, deflate.wrapped(data)


def _marker(sectors: int, kind: int) -> bytes:
    return _pad(struct.pack("<QII", sectors, 0, kind))


def _pad(data: bytes) -> bytes:
    return data.ljust(align_up(len(data), _SECTOR), b"\0")


def _header(capacity: int, directory: int) -> bytes:
    return _pad(_HEADER.pack(
        _MAGIC, 3, _FLAGS, capacity, _GRAIN_SECTORS, 1, _OVERHEAD - 1, _TABLE, 0, directory, _OVERHEAD,
        0, b"\n \r\n", _DEFLATE,
    ))  # fmt: skip


def _descriptor(source: Source, capacity: int, options: Mapping[str, str | bool]) -> bytes:
    """The text that describes the disk; its content id is derived from the start of the disk."""
    adapter = options.get("adapter_type", "ide")
    heads, sectors = (16, 63) if adapter == "ide" else (255, 63)
    cylinders = capacity // (heads * sectors)
    content = identity(source, "vmdk").int & 0x7FFFFFFF
    lines = [
        "# Disk DescriptorFile",
        "version=1",
        f"CID={content:08x}",
        "parentCID=ffffffff",
        'createType="streamOptimized"',
        "",
        "# Extent description",
        f'RW {capacity} SPARSE "disk.vmdk"',
        "",
        "# The Disk Data Base",
        "#DDB",
        "",
        f'ddb.virtualHWVersion = "{6 if options.get("compat6", False) else 4}"',
        f'ddb.geometry.cylinders = "{min(cylinders, 16383) if adapter == "ide" else cylinders}"',
        f'ddb.geometry.heads = "{heads}"',
        f'ddb.geometry.sectors = "{sectors}"',
        f'ddb.adapterType = "{adapter}"',
    ]
    text = "\n".join([*lines, ""]).encode()
    return text.ljust((_OVERHEAD - 1) * _SECTOR, b"\0")
