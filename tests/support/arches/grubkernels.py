"""GRUB's kernel.img, invented: an ELF with the sections of one, which nothing can execute."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from bootimg.disk.bootloaders.elf32 import Machine

_ALLOCATED, _CODE, _WRITABLE = 2, 4, 1
Sections = Sequence[tuple[int, int, int, bytes | int, int]]
"""Kind, flags, distance from the beginning, content (or size in bytes), alignment."""
CODE, CONSTANTS, DATA = b"\x48\0\0\4" * 37, b"GRUB\0" * 5, bytes(range(200))
SECTIONS: Sections = (
    (1, _ALLOCATED | _CODE, 0, CODE, 4),
    (1, _ALLOCATED, 0x94, CONSTANTS, 4),
    (1, _ALLOCATED | _WRITABLE, 0xC0, DATA, 32),
    (8, _ALLOCATED | _WRITABLE, 0x1A0, 0x1234, 16),
    (7, 0, 0, b"no code\0", 1),
)
"""Those of a kernel."""


def kernel_of(machine: Machine, first: int, sections: Sections = SECTIONS) -> bytes:
    """An ELF with these sections, loaded from the address `first` on, as kernel.img is one."""
    header, entry = (struct.Struct(machine.order + each) for each in ("16sHHIIIIIHHHHHH", "10I"))
    body, table = b"", bytes(entry.size)
    for kind, flags, distance, content, alignment in sections:
        address = first + distance if flags else 0
        data = content if isinstance(content, bytes) else b""
        size = content if isinstance(content, int) else len(content)
        at = header.size + len(body)
        table += entry.pack(0, kind, flags, address, at, size, 0, 0, alignment, 0)
        body += data
    at, names = header.size + len(body) + 1, len(sections) + 1
    table += entry.pack(0, 3, 0, 0, at - 1, 1, 0, 0, 1, 0)
    identity, kind = machine.identity, machine.number
    head = header.pack(identity, 2, kind, 1, first, 0, at, 0, header.size, 32, 0, 40, names + 1, names)
    return head + body + b"\0" + table


def changed(number: int, place: int, value: object) -> Sections:
    """The sections with one value of one of them replaced."""
    rows: list[list[object]] = [list(each) for each in SECTIONS]
    rows[number][place] = value
    return [tuple(each) for each in rows]  # type: ignore[misc]
