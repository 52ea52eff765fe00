"""The code that a BIOS starts: the boot sector, and the BIOS boot partition that it loads."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from bootimg.disk.extents import read_exactly, write_fully
from bootimg.disk.gpt import Gpt

PARTITION = UUID("21686148-6449-6E6F-744E-656564454649")
"""The type of the BIOS boot partition."""
SECTOR = 512
_BPB = slice(0x03, 0x5A)
_SIGNATURE_AND_TABLE = slice(0x1B8, 0x1FE)


@dataclass(frozen=True, slots=True)
class BootCode:
    """A boot sector of 512 bytes and the content of the BIOS boot partition, without the zeros at its end."""

    sector: bytes
    partition: bytes

    def place(self, disk: Path, gpt: Gpt) -> None:
        """Write both to a disk; its BIOS parameter block, disk signature and partition table stay."""
        self.write(disk, *boot_partition(gpt))

    def write(self, disk: Path, start: int, length: int) -> None:
        """Write both; `start` and `length` are the partition's, in bytes.

        The partition behind the code is zeroed, so that the result depends on nothing but the arguments.
        """
        if len(self.partition) > length:
            raise ValueError(f"{len(self.partition)} bytes of boot code for {length}")
        fd = os.open(disk, os.O_RDWR | os.O_CLOEXEC)
        try:
            present, sector = read_exactly(fd, 0, SECTOR), bytearray(self.sector)
            for kept in (_BPB, _SIGNATURE_AND_TABLE):
                sector[kept] = present[kept]
            write_fully(fd, self.partition.ljust(length, b"\0"), start)
            write_fully(fd, bytes(sector), 0)
            os.fsync(fd)
        finally:
            os.close(fd)


def read_boot_code(disk: Path, gpt: Gpt) -> BootCode:
    """The code that is on a disk."""
    fd = os.open(disk, os.O_RDONLY | os.O_CLOEXEC)
    try:
        start, length = boot_partition(gpt)
        return BootCode(read_exactly(fd, 0, SECTOR), read_exactly(fd, start, length).rstrip(b"\0"))
    finally:
        os.close(fd)


def boot_partition(gpt: Gpt) -> tuple[int, int]:
    """Offset and length of the BIOS boot partition, in bytes."""
    return gpt.span(next(part.number for part in gpt.partitions if part.type_guid == PARTITION))
