"""Which sectors of the disk the files of an unmounted ext4 have."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bootimg.disk.ext4edit import Ext4Image
from bootimg.disk.zipl.format import Run
from bootimg.errors import BootimgError

# A line of debugfs's dump_extents: level/depth, entry/entries, logical and physical blocks, their number.
_EXTENT = re.compile(r"\s*(\d+)/\s*\d+\s+\d+/\s*\d+\s+(\d+) -\s+(\d+)\s+(\d+) -\s+(\d+)\s+(\d+)(.*)")
_LOG_BLOCK_SIZE = 1024 + 0x18


@dataclass(frozen=True, slots=True)
class BootPartition:
    """An ext4 in a file of its own, and where it is on its disk: `start` in bytes, a multiple of `sector`."""

    image: Ext4Image
    start: int
    sector: int

    @property
    def block(self) -> int:
        """The size of the file system's blocks in bytes."""
        with self.image.path.open("rb") as file:
            file.seek(_LOG_BLOCK_SIZE)
            (log,) = struct.unpack("<I", file.read(4))
        return 1024 << int(log)

    def runs(self, path: str) -> list[Run]:
        """The sectors of the file's blocks, in order; those of a hole have the number 0."""
        block, found, following = self.block, list[Run](), 0
        for logical, physical, count in self._extents(path):
            if logical > following:
                found.append(Run(0, (logical - following) * block // self.sector))
            found.append(Run((self.start + physical * block) // self.sector, count * block // self.sector))
            following = logical + count
        return found

    def write(self, runs: Sequence[Run], content: bytes) -> None:
        """Write a file's content into its blocks, which are all there."""
        at, size = 0, self.sector
        with self.image.path.open("r+b") as file:
            for run in runs:
                file.seek(run.sector * size - self.start)
                file.write(content[at : at + run.count * size])
                at += run.count * size

    def _extents(self, path: str) -> Iterator[tuple[int, int, int]]:
        """Logical block, physical block, number of blocks."""
        for line in self.image.extents(path):
            if (fields := _EXTENT.fullmatch(line.rstrip())) is None or "Uninit" in fields[7]:
                raise _unmapped(path, line)
            yield int(fields[2]), int(fields[4]), int(fields[6])


def locator(runs: Sequence[Run], sector: int) -> Callable[[int], int]:
    """Finds the sector of the disk for an offset, in bytes, in the file that has these sectors."""
    sectors = [each for run in runs for each in range(run.sector, run.sector + run.count)]
    return lambda offset: sectors[offset // sector]


def _unmapped(path: str, line: str) -> BootimgError:
    return BootimgError(
        "boot-partition-unreadable",
        f"the blocks of /boot{path} cannot be listed",
        context=[line.strip()[:200]],
        hint="the image is damaged: get or build it again",
    )
