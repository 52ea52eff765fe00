"""Disk images and live media."""

from __future__ import annotations

from pathlib import Path

import zstandard

from bootimg.formats.compression.writer import Compressor, Packing, open_output
from bootimg.sizes import GIB, MIB
from tests.hostile.case import case
from tests.hostile.making import zeros_in_zstd
from tests.hostile.reading import disk, run

OVER = "image-over-budget"


@case(run, f"{OVER}/ratio")
def zeros_behind_run(folder: Path) -> None:
    """195 GiB of zeros in 6 MB of zstd, behind `run`"""
    (folder / "disk").write_bytes(zeros_in_zstd(195 * GIB))


@case(disk, f"{OVER}/ratio")
def zeros_in_xz(folder: Path) -> None:
    """20 GiB of zeros in xz"""
    with open_output(folder / "disk", Packing(Compressor.XZ)) as sink:
        # Which makes one block, and writes it again and again.
        sink.skip(20 * GIB)
        sink.finish(folder / "disk")


@case(disk, f"{OVER}/ratio")
def data_in_zstd(folder: Path) -> None:
    """4 GiB of one pattern in zstd"""
    piece = b"pattern " * (MIB // 8)
    packer = zstandard.ZstdCompressor(level=1).compressobj()
    with (folder / "disk").open("wb") as file:
        for _ in range(4 * 1024):
            file.write(packer.compress(piece))
        file.write(packer.flush())
