"""Where two images of the same kind differ first: in their disks, or else in their files."""

from __future__ import annotations

from pathlib import Path

from bootimg.atomic import scratch_folder
from bootimg.disk.extents import FileSource, Source
from bootimg.disk.gpt import Gpt, read_gpt
from bootimg.disk.view import DiskView
from bootimg.errors import BootimgError
from bootimg.formats.compression.unpack import unpack
from bootimg.sizes import MIB
from bootimg.vm.image import image_format

_RAW = "raw"


def describe_difference(theirs: Path, ours: Path, scratch: Path) -> str:
    """The first difference of two images, compressed or not, in words.

    It is a byte of the disk, with its partition, if both files are images of a disk and their disks differ;
    else it is a byte of the uncompressed file.
    """
    with scratch_folder(scratch, "compare-") as folder:
        plain = [_unpacked(path, folder / name) for name, path in (("theirs", theirs), ("ours", ours))]
        return _of_disks(plain, folder) or _of_files(plain)


def _unpacked(path: Path, folder: Path) -> Path:
    folder.mkdir()
    return unpack(path, folder / "file").path


def _of_disks(files: list[Path], folder: Path) -> str | None:
    """None if the files are not images of a disk, or the disks in them are equal."""
    try:
        formats = [image_format(path) for path in files]
        if formats[0] != formats[1]:
            return None
        disks = files if formats[0] == _RAW else [_extracted(path, formats[0]) for path in files]
        with FileSource(disks[0]) as one, FileSource(disks[1]) as other:
            offset = first_difference(one, other)
            return None if offset is None else _in_partition(offset, read_gpt(other, backup=False))
    except BootimgError:
        # An archive, or an image too damaged to be read: the bytes of the file are compared.
        return None


def _extracted(path: Path, disk_format: str) -> Path:
    disk = path.with_name("disk")
    view = DiskView(path, disk_format, path.parent)
    view.extract(0, view.size, disk)
    return disk


def _of_files(files: list[Path]) -> str:
    with FileSource(files[0]) as one, FileSource(files[1]) as other:
        offset = first_difference(one, other)
    return f"the disk is not different or cannot be compared; the file is, from byte {offset} on"


def first_difference(one: Source, other: Source) -> int | None:
    """The offset of the first byte that differs; if one is only longer, the size of the other."""
    shorter = min(one.size, other.size)
    for number in sorted(_chunks(one) | _chunks(other)):
        offset = number * MIB
        length = min(MIB, shorter - offset)
        if length <= 0:
            break
        left, right = one.read(offset, length), other.read(offset, length)
        if left != right:
            return offset + next(at for at in range(length) if left[at] != right[at])
    return None if one.size == other.size else shorter


def _chunks(source: Source) -> set[int]:
    """The numbers of the MiB that have data."""
    return {
        number
        for extent in source.extents()
        if extent.data and extent.length
        for number in range(extent.offset // MIB, (extent.end - 1) // MIB + 1)
    }


def _in_partition(offset: int, gpt: Gpt) -> str:
    for partition in gpt.partitions:
        start, length = gpt.span(partition.number)
        if start <= offset < start + length:
            where = f"partition {partition.number} ({partition.name}), byte {offset - start} of it"
            return f"the first different byte of the disk is {offset}: {where}"
    return f"the first different byte of the disk is {offset}: outside of the partitions"
