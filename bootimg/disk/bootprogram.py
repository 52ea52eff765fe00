"""Whether a partition that firmware starts directly has a program for it."""

from __future__ import annotations

from uuid import UUID

from bootimg.disk.bootloaders.bootcode import PARTITION as BIOS_BOOT
from bootimg.disk.bootloaders.elf32 import is_program
from bootimg.disk.bootloaders.prepimage import PARTITION as PREP
from bootimg.disk.extents import is_zero

SECTOR = 512
"""How much of the partition tells it, in bytes."""


def has_boot_code(kind: UUID, start: bytes) -> bool | None:
    """By the partition's type and its first sector; None for a type that no firmware starts.

    The firmware of ppc64le takes an ELF for PowerPC; a BIOS takes whatever the boot sector loads.
    """
    if kind == PREP:
        return is_program(start)
    return not is_zero(start) if kind == BIOS_BOOT else None
