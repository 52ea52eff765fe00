"""zipl's records on a disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bootimg.disk.extents import FileSource
from bootimg.disk.zipl.bootmap import BootFile, Geometry, Program, make_bootmap
from bootimg.disk.zipl.format import Run
from bootimg.disk.zipl.read import read_zipl
from tests.fuzz.target import refusals, target

SECTOR = 512


def _disks() -> Iterator[bytes]:
    """A first sector, the tables, and behind them sectors of a kernel and an initramfs in two pieces."""
    kernel, pieces = [Run(100, 2)], [Run(102, 1), Run(110, 1)]
    program = Program(
        stage3=b"stage3".ljust(SECTOR),
        kernel=BootFile(1000, 1000, kernel),
        initramfs=BootFile(1000, 1000, pieces),
        arguments=b"rw ignition.firstboot",
    )
    made = make_bootmap(program, Geometry(SECTOR, 1024), lambda offset: 1 + offset // SECTOR)
    yield (made.record.ljust(SECTOR, b"\0") + made.content).ljust(112 * SECTOR, b"\0")


@target(_disks, words=("zIPL",), runs=800, longest=60_000)
def zipl(data: bytes, folder: Path) -> None:
    """A disk whose boot partition begins in its second sector: what is found is inside it."""
    disk = folder / "disk"
    disk.write_bytes(data.ljust(SECTOR, b"\0"))
    with refusals(), FileSource(disk) as source:
        found = read_zipl(source, SECTOR, SECTOR, source.size - SECTOR)
        for piece in (*found.kernel, *found.initramfs):
            assert SECTOR <= piece.offset <= source.size - piece.length
