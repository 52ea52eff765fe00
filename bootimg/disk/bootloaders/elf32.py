"""ELF files of 32 bits, big-endian, for PowerPC: as much of them as GRUB's images have."""

from __future__ import annotations

import struct
from dataclasses import dataclass

HEADER = struct.Struct(">16sHHIIIIIHHHHHH")
PROGRAM = struct.Struct(">8I")
"""A segment: type, offset, virtual and physical address, size in the file and in memory, flags, alignment."""
SECTION = struct.Struct(">10I")
PROGRAM_BITS, NO_BITS = 1, 8
"""The kinds of a section with content, and of one that is zero when it is loaded."""
ALLOCATED, EXECUTABLE = 2, 4
"""Flags of a section."""
_IDENTITY = b"\x7fELF\x01\x02\x01".ljust(16, b"\0")
_ABI = slice(0, 7)
_EXECUTABLE_FILE, _POWERPC, _VERSION = 2, 20, 1
_MOST_SECTIONS = 1024


class ElfError(Exception):
    """What is wrong with a file, as the end of a sentence."""


@dataclass(frozen=True, slots=True)
class Section:
    """An entry of the section table; `name` is an offset in the table of names."""

    name: int
    kind: int
    flags: int
    address: int
    offset: int
    size: int
    alignment: int

    @property
    def end(self) -> int:
        """The address behind the section."""
        return self.address + self.size

    def packed(self) -> bytes:
        """The entry, which refers to no other section."""
        return SECTION.pack(
            self.name, self.kind, self.flags, self.address, self.offset, self.size, 0, 0, self.alignment, 0
        )


def read_sections(file: bytes) -> list[Section]:
    """The section table; ElfError if the file is cut off, or for another processor."""
    if len(file) < HEADER.size or file[_ABI] != _IDENTITY[_ABI]:
        raise ElfError("is no big-endian ELF of 32 bits")
    fields = HEADER.unpack_from(file)
    machine, offset, width, count = fields[2], fields[6], fields[11], fields[12]
    if machine != _POWERPC:
        raise ElfError("is not for PowerPC")
    if width < SECTION.size or count > _MOST_SECTIONS or offset + width * count > len(file):
        raise ElfError("has no whole table of sections")
    return [_section(file, offset + width * index) for index in range(count)]


def _section(file: bytes, at: int) -> Section:
    name, kind, flags, address, offset, size, _, _, alignment, _ = SECTION.unpack_from(file, at)
    return Section(name, kind, flags, address, offset, size, alignment)


def section_bytes(file: bytes, section: Section) -> bytes:
    """A section's content; ElfError if the file is cut off."""
    if section.offset + section.size > len(file):
        raise ElfError("is cut off")
    return file[section.offset : section.offset + section.size]


def elf_header(entry: int, *, segments: int, sections: int, names: int) -> bytes:
    """The header of a program that starts at the address `entry`.

    The table of segments follows it, then that of sections; `names` is the number of the section with names.
    """
    table = HEADER.size + segments * PROGRAM.size
    return HEADER.pack(
        _IDENTITY, _EXECUTABLE_FILE, _POWERPC, _VERSION, entry, HEADER.size, table, 0, HEADER.size,
        PROGRAM.size, segments, SECTION.size, sections, names,
    )  # fmt: skip


def is_program(start: bytes) -> bool:
    """Whether a file that begins like this is such a program for PowerPC."""
    if len(start) < HEADER.size or start[_ABI] != _IDENTITY[_ABI]:
        return False
    fields = HEADER.unpack_from(start)
    return (fields[1], fields[2]) == (_EXECUTABLE_FILE, _POWERPC)
