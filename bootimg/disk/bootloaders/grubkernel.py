"""GRUB's kernel (kernel.img) as it is in memory: what grub-mkimage makes of its sections.

Source: GRUB's util/grub-mkimagexx.c, for kernels that are linked to one address.
"""

from __future__ import annotations

from dataclasses import dataclass

from bootimg.disk.bootloaders.elf32 import (
    ALLOCATED,
    EXECUTABLE,
    NO_BITS,
    PROGRAM_BITS,
    ElfError,
    Machine,
    read_sections,
    section_bytes,
)
from bootimg.sizes import MIB

_LARGEST_KERNEL, _LARGEST_ALIGNMENT, _LAST_ADDRESS = 8 * MIB, 0x10000, 0x10000000


@dataclass(frozen=True, slots=True)
class Kernel:
    """GRUB's kernel as it is loaded to an address; after it come `bss` bytes of zeros."""

    address: int
    image: bytes
    bss: int
    alignment: int


def load_kernel(file: bytes, machine: Machine) -> Kernel:
    """The kernel of the file kernel.img; ElfError if it is damaged or for another processor."""
    sections = read_sections(file, machine)
    kept = [each for each in sections if each.kind == PROGRAM_BITS and each.flags & ALLOCATED]
    code = [each for each in kept if each.flags & EXECUTABLE]
    # All code is linked to one address.  For PowerPC it is 2 MiB in GRUB 2.06, 4 MiB in Red Hat's.
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
    return Kernel(first, bytes(image), max(bss, 0), max(alignment, 1))


def _distance(first: int, end: int) -> int:
    if not (first <= _LAST_ADDRESS and first < end <= first + _LARGEST_KERNEL):
        raise ElfError("has sections where no kernel of GRUB has any")
    return end - first
