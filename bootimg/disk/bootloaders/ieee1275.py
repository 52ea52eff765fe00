"""GRUB's core image for Open Firmware on PowerPC: an ELF that the firmware loads and starts.

It is what `grub-mkimage -O powerpc-ieee1275` writes, byte for byte: GRUB's kernel, then a list of objects
(modules, a configuration, the prefix) in a segment of its own.  Formats: GRUB's include/grub/kernel.h and
offsets.h, util/mkimage.c; ELF's specification.  All numbers are big-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

from bootimg.disk.bootloaders.elf32 import (
    ALLOCATED,
    EXECUTABLE,
    HEADER,
    NO_BITS,
    PROGRAM,
    PROGRAM_BITS,
    SECTION,
    ElfError,
    Section,
    elf_header,
    read_sections,
    section_bytes,
)
from bootimg.errors import BootimgError
from bootimg.sizes import MIB, align_up

# Between the kernel with its .bss and the objects, and the alignment of these.
_GAP, _ALIGNMENT = 0x8000, 0x1000
_WORD = 4
_MAGIC = 0x676D696D
_INFO = struct.Struct(">III")
_OBJECT = struct.Struct(">II")
_NAMES = b"\0.text\0mods\0"
_TEXT, _MODULES = _NAMES.index(b".text"), _NAMES.index(b"mods")
_SEGMENTS, _SECTIONS = 3, 4
_LOAD, _STACK, _ALL = 1, 0x6474E551, 7
_STRINGS = 3
_LARGEST_KERNEL, _LARGEST_ALIGNMENT, _LAST_ADDRESS = 8 * MIB, 0x10000, 0x10000000


class _Kind(IntEnum):
    MODULE = 0
    CONFIGURATION = 2
    PREFIX = 3


@dataclass(frozen=True, slots=True)
class _Kernel:
    """GRUB's kernel as it is loaded to an address; after it come `bss` bytes of zeros."""

    address: int
    image: bytes
    bss: int
    alignment: int


def core_image(kernel: bytes, modules: Sequence[bytes], *, config: bytes, prefix: str) -> bytes:
    """The ELF of kernel.img and of modules, in the order to load them.

    GRUB runs the configuration before anything else; the prefix is where it finds its folder.
    `grub-image-invalid` if kernel.img is damaged or not for PowerPC.
    """
    try:
        loaded = _load(kernel)
    except ElfError as error:
        raise invalid(f"kernel.img {error}") from None
    return _elf(loaded, _objects(modules, config, prefix))


def invalid(what: str) -> BootimgError:
    """The error for files of GRUB that make no core image."""
    return BootimgError(
        "grub-image-invalid",
        f"GRUB for Open Firmware cannot be installed: {what}",
        hint="the layer's GRUB modules (usr/lib/grub/powerpc-ieee1275) may be damaged or of another version",
    )


def _load(file: bytes) -> _Kernel:
    sections = read_sections(file)
    kept = [each for each in sections if each.kind == PROGRAM_BITS and each.flags & ALLOCATED]
    code = [each for each in kept if each.flags & EXECUTABLE]
    # All code is linked to one address: 2 MiB in GRUB 2.06, 4 MiB in Red Hat's.
    if len(code) != 1:
        raise ElfError("does not have its code in one section")
    first = code[0].address
    data = [each for each in kept if not each.flags & EXECUTABLE]
    end = [*code, *data][-1].end
    empty = [each.end for each in sections if each.kind == NO_BITS]
    image = bytearray(_distance(first, end))
    for each in kept:
        if not first <= each.address <= each.end <= end:
            raise ElfError("has sections that are not in the order of their addresses")
        start = each.address - first
        image[start : start + each.size] = section_bytes(file, each)
    alignment = max(each.alignment for each in sections if each.flags & ALLOCATED)
    if alignment > _LARGEST_ALIGNMENT:
        raise ElfError("has sections that are aligned as no kernel of GRUB is")
    bss = _distance(first, empty[-1] if empty else end) - len(image)
    return _Kernel(first, bytes(image), max(bss, 0), max(alignment, 1))


def _distance(first: int, end: int) -> int:
    if not (first <= _LAST_ADDRESS and first < end <= first + _LARGEST_KERNEL):
        raise ElfError("has sections where no kernel of GRUB has any")
    return end - first


def _objects(modules: Sequence[bytes], config: bytes, prefix: str) -> bytes:
    objects = b"".join(
        [
            *(_object(_Kind.MODULE, module) for module in modules),
            _object(_Kind.CONFIGURATION, config + b"\0"),
            _object(_Kind.PREFIX, prefix.encode() + b"\0"),
        ]
    )
    return _INFO.pack(_MAGIC, _INFO.size, _INFO.size + len(objects)) + objects


def _object(kind: _Kind, content: bytes) -> bytes:
    padded = content.ljust(align_up(len(content), _WORD), b"\0")
    return _OBJECT.pack(kind, _OBJECT.size + len(padded)) + padded


def _elf(kernel: _Kernel, objects: bytes) -> bytes:
    names = HEADER.size + _SEGMENTS * PROGRAM.size + _SECTIONS * SECTION.size
    start = align_up(names + len(_NAMES), kernel.alignment)
    head = elf_header(kernel.address, segments=_SEGMENTS, sections=_SECTIONS, names=1)
    head += b"".join(_segments(kernel, start, len(objects)))
    head += b"".join(_section_table(kernel, start, names, len(objects))) + _NAMES
    body = kernel.image + objects
    return head.ljust(start, b"\0") + body.ljust(align_up(len(body), _WORD), b"\0")


def _segments(kernel: _Kernel, start: int, length: int) -> Iterator[bytes]:
    size, at = len(kernel.image), start + len(kernel.image)
    address, alignment = kernel.address, max(kernel.alignment, _WORD)
    behind = align_up(address + size + kernel.bss + _GAP, _ALIGNMENT)
    yield PROGRAM.pack(_LOAD, start, address, address, size, size + kernel.bss, _ALL, alignment)
    yield PROGRAM.pack(_STACK, at, 0, 0, 0, 0, _ALL, _WORD)
    yield PROGRAM.pack(_LOAD, at, behind, behind, length, length, _ALL, _WORD)


def _section_table(kernel: _Kernel, start: int, names: int, length: int) -> Iterator[bytes]:
    size, end = len(kernel.image), kernel.address + len(kernel.image)
    yield bytes(SECTION.size)
    yield Section(0, _STRINGS, 0, 0, names, len(_NAMES), kernel.alignment).packed()
    yield Section(_TEXT, PROGRAM_BITS, 0, kernel.address, start, size, kernel.alignment).packed()
    # GRUB gives the objects the address behind the kernel here, unlike in the segment.
    yield Section(_MODULES, PROGRAM_BITS, 0, end, start + size, length, _WORD).packed()
