"""Parts of a disk image of any format, as a sparse raw file."""

from __future__ import annotations

import errno
from pathlib import Path

from bootimg.disk.extents import FileSource
from bootimg.disk.gpt import Gpt, read_gpt
from bootimg.sizes import MIB, format_size
from bootimg.vm.diskimage import open_image
from bootimg.vm.image import damaged
from bootimg.vm.imagetool import copy_range, virtual_size

BOOT = "boot"
"""The name of the partition with /boot."""
# A raw file need not end with a sector; QEMU counts the last one as whole.
_SECTOR = 512


class DiskView:
    """A raw file `path` in `folder`, of the size of `disk`, with the fetched ranges and holes elsewhere.

    The constructor fetches the partition table, with the errors of `open_image`, `image-unreadable` for a
    disk that is larger than files can be, and `gpt-damaged` if there is no table.  The disk is only read.
    """

    def __init__(self, disk: Path, disk_format: str, folder: Path) -> None:
        self.image = open_image(disk, disk_format)
        self.size = virtual_size(self.image)
        self.path = folder / "view.raw"
        self._make_room(disk)
        self.fetch(0, MIB)
        with FileSource(self.path) as source:
            self.gpt: Gpt = read_gpt(source, backup=False)

    def _make_room(self, disk: Path) -> None:
        with self.path.open("wb") as handle:
            try:
                handle.truncate(self.size)
            except OSError as error:
                if error.errno != errno.EFBIG:
                    raise
                why = f"claims to be a disk of {format_size(self.size)}, and no file here can be so large"
                raise damaged(disk, why, "get the image again") from None

    def fetch(self, offset: int, length: int) -> None:
        """Copy a range of the disk, up to the disk's end."""
        length = self._available(offset, length)
        if length:
            copy_range(self.image, offset, length, self.path, inside=True)

    def extract(self, offset: int, length: int, path: Path) -> None:
        """Copy a range of the disk, up to the disk's end, to a separate sparse raw file."""
        length = self._available(offset, length)
        if not length:
            path.touch()
            return
        copy_range(self.image, offset, length, path, inside=False)

    def _available(self, offset: int, length: int) -> int:
        return max(0, min(length, self.size - offset)) // _SECTOR * _SECTOR

    def boot(self) -> tuple[int, int] | None:
        """Fetch the partition named boot; returns its offset and length in bytes, None if it is missing."""
        return self.partition(BOOT)

    def partition(self, name: str) -> tuple[int, int] | None:
        """Fetch the first partition of a name; returns its offset and length in bytes, None without one."""
        for partition in self.gpt.partitions:
            if partition.name == name:
                span = self.gpt.span(partition.number)
                self.fetch(*span)
                return span
        return None
