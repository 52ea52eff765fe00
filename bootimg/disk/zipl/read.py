"""Reads zipl's records from a disk, as the machine's firmware does: it shares nothing with the writer.

The disk is untrusted: pointers must lead into the boot partition, and lists are of limited length.  The
format is that of s390-tools' include/boot/boot_defs.h; what the firmware does is in QEMU's
pc-bios/s390-ccw/bootmap.c.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from bootimg.disk.extents import Source
from bootimg.errors import BootimgError

_MAGIC = b"zIPL"
_TABLE_AT, _DEFAULT_AT, _FIRST_COMPONENT = 16, 16, 32
_ENTRY = 32
_SIGNATURE, _LOAD, _EXECUTE = 3, 2, 1
_MOST_TABLES, _MOST_BYTES = 1 << 14, 1 << 31
_STAGE3, _PARAMETERS = 0xA000, 0x9000
_STAGE3_SIZE = 0x4000
_ADDRESS = 0x7FFFFFFF
_NO_ARGUMENTS = 0xFFFFFFFFFFFFFFFF


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of the disk: offset and length."""

    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class ZiplProgram:
    """What the firmware loads, by the address in memory, and the address that it starts."""

    loaded: dict[int, tuple[Piece, ...]]
    start: int


@dataclass(frozen=True, slots=True)
class ZiplBoot:
    """What is started: pieces of the disk, and the lengths in bytes that the third stage is told.

    `arguments` are the kernel's as they are in memory, `stage3` is the code of the third stage.  Where the
    kernel has its initramfs and arguments in itself, both are empty.
    """

    stage3: bytes
    kernel: tuple[Piece, ...]
    kernel_size: int
    initramfs: tuple[Piece, ...]
    initramfs_size: int
    arguments: bytes


def has_zipl(source: Source) -> bool:
    """Whether the disk's first sector is zipl's."""
    return source.size >= 512 and source.read(0, len(_MAGIC)) == _MAGIC


def read_zipl(source: Source, sector_size: int, start: int, length: int) -> ZiplBoot:
    """What zipl's third stage starts; `start` and `length` are the boot partition's, in bytes.

    Raises `zipl-record-damaged`.
    """
    program = _Reader(source, sector_size, start, min(start + length, source.size)).program()
    for address, what in ((_STAGE3, "third stage"), (_PARAMETERS, "parameters")):
        _require(program, address, what)
    if program.start != _STAGE3:
        raise _damaged(f"the firmware starts 0x{program.start:x}, not the third stage")
    words = struct.unpack(">8Q", _content(source, program.loaded[_PARAMETERS], 64))
    arguments, initramfs, initramfs_size, kernel_psw, _, _, kernel_size, kernel = words
    if kernel_psw & _ADDRESS != kernel:
        raise _damaged(f"the third stage starts 0x{kernel_psw & _ADDRESS:x}, not the kernel")
    _require(program, kernel, "kernel")
    if initramfs_size:
        _require(program, initramfs, "initramfs")
    if arguments != _NO_ARGUMENTS:
        _require(program, arguments, "arguments")
    return ZiplBoot(
        stage3=_content(source, program.loaded[_STAGE3], _STAGE3_SIZE),
        kernel=program.loaded[kernel],
        kernel_size=kernel_size,
        initramfs=program.loaded[initramfs] if initramfs_size else (),
        initramfs_size=initramfs_size,
        arguments=_content(source, program.loaded.get(arguments, ()), 1 << 16).partition(b"\0")[0],
    )


def _require(program: ZiplProgram, address: int, what: str) -> None:
    if not program.loaded.get(address):
        raise _damaged(f"nothing is loaded to 0x{address:x}, the place of the {what}")


def _content(source: Source, pieces: tuple[Piece, ...], most: int) -> bytes:
    data = b""
    for piece in pieces:
        data += source.read(piece.offset, min(piece.length, most - len(data)))
    return data


@dataclass(frozen=True, slots=True)
class _Reader:
    """Follows pointers, which count sectors and must lead to bytes from `start` to `end`."""

    source: Source
    sector: int
    start: int
    end: int

    def program(self) -> ZiplProgram:
        """The default program: the first of the program table."""
        record = self.source.read(0, self.sector)
        programs = self._table(self._piece(record, _TABLE_AT, "program table"), "program table")
        table = self._table(self._piece(programs, _DEFAULT_AT, "component table"), "component table")
        loaded = dict[int, tuple[Piece, ...]]()
        for at in range(_FIRST_COMPONENT, len(table), _ENTRY):
            kind, (value,) = table[at + 23], struct.unpack_from(">Q", table, at + 24)
            if kind == _EXECUTE:
                return ZiplProgram(loaded, value & _ADDRESS)
            if kind not in (_LOAD, _SIGNATURE):
                raise _damaged(f"a component has the unknown type {kind}")
            if kind == _LOAD:
                loaded[value] = tuple(self._segments(self._piece(table, at, "segment table")))
        raise _damaged("the component table does not say what to start")

    def _table(self, piece: Piece, what: str) -> bytes:
        data = self.source.read(piece.offset, self.sector)
        if not data.startswith(_MAGIC):
            raise _damaged(f"the {what} is not where its pointer leads")
        return data

    def _segments(self, piece: Piece) -> Iterator[Piece]:
        total = 0
        for _ in range(_MOST_TABLES):
            table = self.source.read(piece.offset, self.sector)
            for at in range(0, self.sector - 16, 16):
                if not any(table[at : at + 8]):
                    return
                found = self._piece(table, at, "content")
                total += found.length
                if total > _MOST_BYTES:
                    raise _damaged("a component does not fit into memory")
                yield found
            if not any(table[-16:-8]):
                return
            piece = self._piece(table, self.sector - 16, "segment table")
        raise _damaged("a component has too many segment tables")

    def _piece(self, data: bytes, at: int, what: str) -> Piece:
        block, size, more = struct.unpack_from(">QHH", data, at)
        offset, length = block * self.sector, (more + 1) * self.sector
        if size != self.sector:
            raise _damaged(f"a pointer to the {what} is for sectors of {size} bytes")
        if offset < self.start or offset + length > self.end:
            raise _damaged(f"a pointer to the {what} leads out of the boot partition, to sector {block}")
        return Piece(offset, length)


def _damaged(what: str) -> BootimgError:
    return BootimgError(
        "zipl-record-damaged",
        "the disk's boot record of zipl is damaged",
        context=[what],
        hint="the image does not boot: get or build it again",
    )
