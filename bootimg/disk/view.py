"""Parts of a disk image of any format, as a sparse raw file."""

from __future__ import annotations

import json
from pathlib import Path

from bootimg import process
from bootimg.disk.extents import FileSource
from bootimg.disk.gpt import Gpt, read_gpt
from bootimg.sizes import MIB
from bootimg.vm.qemu import require_qemu_img

BOOT = "boot"
"""The name of the partition with /boot."""
# A raw file need not end with a sector; QEMU counts the last one as whole.
_SECTOR = 512


class DiskView:
    """A raw file `path` in `folder`, of the size of `disk`, that has what was fetched and holes elsewhere.

    At first that is the partition table: `gpt-damaged` where there is none.  The disk is only read.
    """

    def __init__(self, disk: Path, disk_format: str, folder: Path) -> None:
        self.disk = disk
        self._format = disk_format
        self._qemu_img = require_qemu_img().path
        words = ["info", "--output=json", "-f", disk_format, str(disk.absolute())]
        self.size = int(json.loads(process.run([self._qemu_img, *words]).stdout)["virtual-size"])
        self.path = folder / "view.raw"
        with self.path.open("wb") as handle:
            handle.truncate(self.size)
        self.fetch(0, MIB)
        with FileSource(self.path) as source:
            self.gpt: Gpt = read_gpt(source, backup=False)

    def fetch(self, offset: int, length: int) -> None:
        """Copy a range of the disk, as much of it as the disk has."""
        length = self._there(offset, length)
        if not length:
            return
        target = ["-n", "--target-image-opts", _window("raw", self.path, offset, length)]
        self._convert(_window(self._format, self.disk, offset, length), *target)

    def extract(self, offset: int, length: int, path: Path) -> None:
        """Copy a range of the disk, as much of it as the disk has, to a sparse raw file of its own."""
        length = self._there(offset, length)
        if not length:
            path.touch()
            return
        self._convert(_window(self._format, self.disk, offset, length), "-O", "raw", str(path.absolute()))

    def _there(self, offset: int, length: int) -> int:
        return max(0, min(length, self.size - offset)) // _SECTOR * _SECTOR

    def _convert(self, source: str, *target: str) -> None:
        process.run([self._qemu_img, "convert", "--image-opts", source, *target], timeout=600)

    def boot(self) -> tuple[int, int] | None:
        """Offset and length in bytes of the partition called boot, fetched; None where there is none."""
        for partition in self.gpt.partitions:
            if partition.name == BOOT:
                span = self.gpt.span(partition.number)
                self.fetch(*span)
                return span
        return None


def _window(driver: str, path: Path, offset: int, length: int) -> str:
    name = str(path.absolute()).replace(",", ",,")
    place = f"driver=raw,offset={offset},size={length}"
    return f"{place},file.driver={driver},file.file.driver=file,file.file.filename={name}"
