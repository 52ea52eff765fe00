"""Small disks for the tests of the formats, and the programs that read them back."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType

import pytest

from bootimg import formats
from bootimg.disk.extents import FileSource, data_chunks, is_zero
from bootimg.disk.gpt import Gpt, read_gpt
from bootimg.formats import Compressor, Packing
from bootimg.sizes import KIB, MIB
from bootimg.vm.diskimage import DiskImage, source_name

needs_qemu_img = pytest.mark.skipif(not shutil.which("qemu-img"), reason="qemu-img is not installed")

DISKS: Mapping[str, tuple[int, Sequence[tuple[int, int]]]] = {
    "holes": (70 * MIB, [(0, MIB + 9), (33 * MIB + 512, 70 * KIB), (40 * MIB, MIB)]),
    "all zeros": (9 * MIB, []),
    "all random": (2 * MIB, [(0, 2 * MIB)]),
    "end only": (40 * MIB, [(40 * MIB - 700, 700)]),
    "one sector": (512, [(0, 512)]),
    "odd sectors": (3 * MIB + 7 * 512, [(MIB - 1, 2), (3 * MIB, 7 * 512)]),
}
"""Size and what is random of it, as (offset, length)."""


def run(*words: str | Path, cwd: Path | None = None) -> bytes:
    """What a program says on stdout; a failure is a CalledProcessError."""
    return subprocess.run(words, capture_output=True, check=True, cwd=cwd).stdout


def make_disk(path: Path, size: int, data: Sequence[tuple[int, int]]) -> Path:
    """A sparse raw disk; every other piece of 16 KiB of its data is easy to compress."""
    with path.open("wb") as file:
        for offset, length in data:
            file.seek(offset)
            length = max(0, min(length, size - offset))
            parts = (os.urandom(8 * KIB) + b"repeat  " * KIB for _ in range(0, length, 16 * KIB))
            file.write(b"".join(parts)[:length])
        file.truncate(size)
    return path


def pieces(disk: Path) -> dict[int, bytes]:
    """The MiBs of a disk that are not zeros, by their numbers."""
    with FileSource(disk) as source:
        chunks = data_chunks(source, 0, source.size, MIB)
        numbers = {at // MIB for offset, length in chunks for at in (offset, offset + length - 1)}
        starts = ((number, number * MIB) for number in sorted(numbers))
        read = ((number, source.read(at, min(MIB, source.size - at))) for number, at in starts)
        return {number: data for number, data in read if not is_zero(data)}


def write(
    disk_format: str,
    raw: Path,
    out: Path,
    options: Mapping[str, str | bool] | None = None,
    compressor: Compressor = Compressor.NONE,
    threads: int = 2,
) -> formats.Written:
    """Write a raw disk file in a format."""
    with FileSource(raw) as source:
        return formats.write(disk_format, source, out, options or {}, None, Packing(compressor, threads))


def libyal(library: ModuleType, image: Path) -> bytes:
    """The content of a disk image by pyqcow, pyvhdi or pyvmdk."""
    with_extents = hasattr(library, "handle")
    opened = library.handle() if with_extents else library.file()
    opened.open(str(image))
    if with_extents:
        opened.open_extent_data_files()
    try:
        size = opened.get_media_size()
        read = (opened.read_buffer_at_offset(min(MIB, size - at), at) for at in range(0, size, MIB))
        return b"".join(read)
    finally:
        opened.close()


def whole_disk(image: DiskImage, out: Path) -> bytes:
    """All of a disk in an image, copied to the raw file `out` by the node that the product gives qemu-img."""
    run("qemu-img", "convert", "-O", "raw", source_name(image.node()), out)
    return out.read_bytes()


def read_gpt_file(disk: Path, sector_size: int | None = None) -> Gpt:
    """The partition table of a raw disk."""
    with FileSource(disk) as source:
        return read_gpt(source, sector_size)
