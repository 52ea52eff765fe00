"""What the firmware of ppc64le starts: the program in the PReP partition."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from bootimg.disk.bootloaders.ieee1275 import invalid
from bootimg.disk.extents import write_fully
from bootimg.disk.gpt import Gpt

PARTITION = UUID("9E1A2D38-C612-4316-AA26-8B49521E5A8B")
"""The type of the PReP partition."""


@dataclass(frozen=True, slots=True)
class PrepImage:
    """The program: GRUB's core image."""

    image: bytes

    def place(self, disk: Path, gpt: Gpt) -> None:
        """Write it to the PReP partition, with zeros behind it; `grub-image-invalid` if it is too large."""
        start, length = prep_partition(gpt)
        if len(self.image) > length:
            raise invalid(f"a core image of {len(self.image)} bytes does not fit a partition of {length}")
        fd = os.open(disk, os.O_WRONLY | os.O_CLOEXEC)
        try:
            write_fully(fd, self.image.ljust(length, b"\0"), start)
            os.fsync(fd)
        finally:
            os.close(fd)


def prep_partition(gpt: Gpt) -> tuple[int, int]:
    """Offset and length of the PReP partition, in bytes."""
    return gpt.span(next(part.number for part in gpt.partitions if part.type_guid == PARTITION))
