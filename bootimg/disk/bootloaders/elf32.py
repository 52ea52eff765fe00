"""ELF files of 32 bits: those that GRUB's kernels are, and those for PowerPC that its firmware starts."""

from __future__ import annotations

import struct
from dataclasses import dataclass

_HEADER, _SECTION = "16sHHIIIIIHHHHHH", "10I"
HEADER = struct.Struct(f">{_HEADER}")
PROGRAM = struct.Struct(">8I")
"""A segment: type, offset, virtual and physical address, size in the file and in memory, flags, alignment."""
SECTION = struct.Struct(f">{_SECTION}")
PROGRAM_BITS, NO_BITS = 1, 8
"""The kinds of a section with content, and of one that is zero when it is loaded."""
ALLOCATED, EXECUTABLE = 2, 4
"""Flags of a section."""
_ABI = slice(0, 7)
_EXECUTABLE_FILE, _VERSION = 2, 1
_MOST_SECTIONS = 1024


@dataclass(frozen=True, slots=True)
class Machine:
    """A processor: its name, its number in ELF files, and the order of bytes (> or <, as in `struct`)."""

    name: str
    number: int
    order: str

    @property
    def identity(self) -> bytes:
        """The 16 bytes that its files begin with."""
        return (b"\x7fELF\x01" + (b"\x02" if self.order == ">" else b"\x01") + b"\x01").ljust(16, b"\0")


POWERPC = Machine("PowerPC", 20, ">")
I386 = Machine("i386", 3, "<")


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
        """The entry for PowerPC, which refers to no other section."""
        return SECTION.pack(
            self.name, self.kind, self.flags, self.address, self.offset, self.size, 0, 0, self.alignment, 0
        )


def read_sections(file: bytes, machine: Machine) -> list[Section]:
    """The section table; ElfError if the file is cut off, or for another processor."""
    header, entry = (struct.Struct(f"{machine.order}{fields}") for fields in (_HEADER, _SECTION))
    if len(file) < header.size or file[_ABI] != machine.identity[_ABI]:
        order = "big" if machine.order == ">" else "little"
        raise ElfError(f"is no {order}-endian ELF of 32 bits")
    fields = header.unpack_from(file)
    number, offset, width, count = fields[2], fields[6], fields[11], fields[12]
    if number != machine.number:
        raise ElfError(f"is not for {machine.name}")
    if width < entry.size or count > _MOST_SECTIONS or offset + width * count > len(file):
        raise ElfError("has no whole table of sections")
    return [_section(entry.unpack_from(file, offset + width * index)) for index in range(count)]


def _section(fields: tuple[int, ...]) -> Section:
    name, kind, flags, address, offset, size, _, _, alignment, _ = fields
    return Section(name, kind, flags, address, offset, size, alignment)


def section_bytes(file: bytes, section: Section) -> bytes:
    """A section's content; ElfError if the file is cut off."""
    if section.offset + section.size > len(file):
        raise ElfError("is cut off")
    return file[section.offset : section.offset + section.size]


def elf_header(entry: int, *, segments: int, sections: int, names: int) -> bytes:
    """The header of a program for PowerPC that starts at the address `entry`.

    The table of segments follows it, then that of sections; `names` is the number of the section with names.
    """
    table = HEADER.size + segments * PROGRAM.size
    return HEADER.pack(
        POWERPC.identity, _EXECUTABLE_FILE, POWERPC.number, _VERSION, entry, HEADER.size, table, 0,
        HEADER.size, PROGRAM.size, segments, SECTION.size, sections, names,
    )  # fmt: skip


def is_program(start: bytes) -> bool:
    """Whether a file that begins like this is a program for PowerPC."""
    if len(start) < HEADER.size or start[_ABI] != POWERPC.identity[_ABI]:
        return False
    fields = HEADER.unpack_from(start)
    return (fields[1], fields[2]) == (_EXECUTABLE_FILE, POWERPC.number)
