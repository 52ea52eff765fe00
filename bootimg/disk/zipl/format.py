"""The records of zipl as bytes: pointers to sectors, tables, the parameters of its third stage."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

MAGIC = b"zIPL"
LOAD_ADDRESS = 0x10000
"""Where a kernel is loaded and entered."""
HEAP, STACK, PARAMETERS, STAGE3 = 0x2000, 0xF000, 0x9000, 0xA000
"""Addresses of the third stage: memory that it uses, its parameters, and its code."""
HEAP_SIZE, STACK_SIZE = 0x4000, 0x1000
ENVIRONMENT = b"# zIPL Environment Block\n"
_HEADER_TEXT = b"zSeries bootmap file\ncreated by zIPL\n"
_HEADER = struct.Struct(">48sQQ448x")
_POINTER = struct.Struct(">QHH4x")
_COMPONENT = struct.Struct(">16s7xBQ")
_TABLE_HEADER = struct.Struct(">4s28x")
_PARAMETERS = struct.Struct(">10Q")
# struct scsi_mbr: magic, version, reserved, the pointer; what follows is for dumps.
_BOOT_RECORD = struct.Struct(">4sI8x16s120x")
_VERSION = 1
_EXECUTE, _LOAD = 1, 2
_PROGRAM_TABLE_SIZE = 512
_LONGEST_RUN = 1 << 16
# The 31-bit program status word that starts a program at an address.
_PSW = 0x0008000080000000
_SCSI = 0x0001000000000000


@dataclass(frozen=True, slots=True)
class Run:
    """`count` sectors of the disk, from `sector` on."""

    sector: int
    count: int


def joined(runs: Iterable[Run]) -> Iterator[Run]:
    """The same sectors in the same order, in as few runs as pointers allow; holes (0) stay apart."""
    pending: Run | None = None
    for run in runs:
        if pending is not None and 0 < pending.sector == run.sector - pending.count:
            pending = Run(pending.sector, pending.count + run.count)
        else:
            yield from _cut(pending)
            pending = run
    yield from _cut(pending)


def _cut(run: Run | None) -> Iterator[Run]:
    if run is not None:
        for done in range(0, run.count, _LONGEST_RUN):
            yield Run(run.sector + done, min(_LONGEST_RUN, run.count - done))


def pointer(run: Run, sector_size: int) -> bytes:
    """A pointer; the format counts the sectors after the first."""
    return _POINTER.pack(run.sector, sector_size, run.count - 1)


def segment_tables(runs: Iterable[Run], sector_size: int) -> Iterator[bytes]:
    """The tables of a component without their last pointers, in the order of the component's content."""
    data = b"".join(pointer(run, sector_size) for run in runs)
    room = sector_size - _POINTER.size
    for start in range(0, len(data), room):
        yield data[start : start + room].ljust(room, b"\0")


def bootmap_header(environment: int) -> bytes:
    """The first 512 bytes of a bootmap; `environment` is the environment block's offset in the file."""
    return _HEADER.pack(_HEADER_TEXT, _VERSION, environment)


def boot_record(program_table: Run, sector_size: int) -> bytes:
    """The beginning of the disk's first sector, before the partition table of a protective MBR."""
    return _BOOT_RECORD.pack(MAGIC, _VERSION, pointer(program_table, sector_size))


def program_table(component_table: Run, sector_size: int) -> bytes:
    """A program table with one program."""
    table = MAGIC.ljust(_POINTER.size, b"\0") + pointer(component_table, sector_size)
    return table.ljust(_PROGRAM_TABLE_SIZE, b"\0")


@dataclass(frozen=True, slots=True)
class Component:
    """What is loaded to `address`: the run with the first segment table."""

    address: int
    segments: Run


def component_table(components: Iterable[Component], sector_size: int) -> bytes:
    """The table of a program that loads components and then starts the third stage."""
    entries = [_TABLE_HEADER.pack(MAGIC)]
    entries += [_COMPONENT.pack(pointer(each.segments, sector_size), _LOAD, each.address)
                for each in components]  # fmt: skip
    entries.append(_COMPONENT.pack(b"", _EXECUTE, STAGE3 | _PSW))
    return b"".join(entries).ljust(sector_size, b"\0")


@dataclass(frozen=True, slots=True)
class Loaded:
    """Address and size in bytes of something in memory."""

    address: int
    size: int


def parameters(kernel: Loaded, arguments: int, initramfs: Loaded, environment: Loaded) -> bytes:
    """The parameters of the third stage; `arguments` is an address."""
    return _PARAMETERS.pack(
        arguments, initramfs.address, initramfs.size, LOAD_ADDRESS | _PSW, 0, _SCSI,
        kernel.size, kernel.address, environment.address, environment.size,
    )  # fmt: skip
