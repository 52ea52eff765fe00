"""GRUB's core image for Open Firmware on PowerPC: an ELF that the firmware loads and starts.

It is what `grub-mkimage -O powerpc-ieee1275` writes, byte for byte: GRUB's kernel, then a list of objects
(modules, a configuration, the prefix) in a segment of its own.  Formats: GRUB's include/grub/offsets.h and
util/mkimage.c; ELF's specification.  All numbers are big-endian.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bootimg.disk.bootloaders.corefiles import image_invalid
from bootimg.disk.bootloaders.coreobjects import core_objects
from bootimg.disk.bootloaders.elf32 import (
    HEADER,
    POWERPC,
    PROGRAM,
    PROGRAM_BITS,
    SECTION,
    ElfError,
    Section,
    elf_header,
)
from bootimg.disk.bootloaders.grubkernel import Kernel, load_kernel
from bootimg.errors import BootimgError
from bootimg.sizes import align_up

# Between the kernel with its .bss and the objects, and the alignment of these.
_GAP, _ALIGNMENT = 0x8000, 0x1000
_WORD = 4
_NAMES = b"\0.text\0mods\0"
_TEXT, _MODULES = _NAMES.index(b".text"), _NAMES.index(b"mods")
_SEGMENTS, _SECTIONS = 3, 4
_LOAD, _STACK, _ALL = 1, 0x6474E551, 7
_STRINGS = 3


def core_image(kernel: bytes, modules: Sequence[bytes], *, config: bytes, prefix: str) -> bytes:
    """The ELF of kernel.img and of modules, in the order to load them.

    GRUB runs the configuration before anything else; the prefix is where it finds its folder.
    `grub-image-invalid` if kernel.img is damaged or not for PowerPC.
    """
    try:
        loaded = load_kernel(kernel, POWERPC)
    except ElfError as error:
        raise invalid(f"kernel.img {error}") from None
    return _elf(loaded, core_objects(POWERPC, modules, config=config, prefix=prefix))


def invalid(what: str) -> BootimgError:
    """The error for files of GRUB that make no core image."""
    return image_invalid("Open Firmware", "usr/lib/grub/powerpc-ieee1275", what)


def _elf(kernel: Kernel, objects: bytes) -> bytes:
    names = HEADER.size + _SEGMENTS * PROGRAM.size + _SECTIONS * SECTION.size
    start = align_up(names + len(_NAMES), kernel.alignment)
    head = elf_header(kernel.address, segments=_SEGMENTS, sections=_SECTIONS, names=1)
    head += b"".join(_segments(kernel, start, len(objects)))
    head += b"".join(_section_table(kernel, start, names, len(objects))) + _NAMES
    body = kernel.image + objects
    return head.ljust(start, b"\0") + body.ljust(align_up(len(body), _WORD), b"\0")


def _segments(kernel: Kernel, start: int, length: int) -> Iterator[bytes]:
    size, at = len(kernel.image), start + len(kernel.image)
    address, alignment = kernel.address, max(kernel.alignment, _WORD)
    behind = align_up(address + size + kernel.bss + _GAP, _ALIGNMENT)
    yield PROGRAM.pack(_LOAD, start, address, address, size, size + kernel.bss, _ALL, alignment)
    yield PROGRAM.pack(_STACK, at, 0, 0, 0, 0, _ALL, _WORD)
    yield PROGRAM.pack(_LOAD, at, behind, behind, length, length, _ALL, _WORD)


def _section_table(kernel: Kernel, start: int, names: int, length: int) -> Iterator[bytes]:
    size, end = len(kernel.image), kernel.address + len(kernel.image)
    yield bytes(SECTION.size)
    yield Section(0, _STRINGS, 0, 0, names, len(_NAMES), kernel.alignment).packed()
    yield Section(_TEXT, PROGRAM_BITS, 0, kernel.address, start, size, kernel.alignment).packed()
    # GRUB gives the objects the address behind the kernel here, unlike in the segment.
    yield Section(_MODULES, PROGRAM_BITS, 0, end, start + size, length, _WORD).packed()
