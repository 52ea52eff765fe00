"""Live media: ISOs, initramfs, osmet files, minimal ISOs; and images that claim to be huge disks."""

from __future__ import annotations

import lzma
import struct
from pathlib import Path

import zstandard

from bootimg.cli.main import bootimg as program
from bootimg.disk.extents import FileSource
from bootimg.live import cpio
from bootimg.live.bincode import number, text
from bootimg.live.embed.coreosiso import CoreosIso
from bootimg.live.iso.sectors import SECTOR
from bootimg.live.miniso.fileformat import Miniso, Shared
from bootimg.live.miniso.source import MinimalIso
from bootimg.live.osmet.fileformat import MAGIC, read_osmet
from bootimg.live.reading.initramfs import read_initramfs
from bootimg.live.reading.region import Region
from bootimg.sizes import GIB, MIB
from bootimg.untrusted.budget import Budget
from tests.hostile.case import case
from tests.hostile.making import zeros_in_zstd
from tests.support.live.liveiso import live_iso, write

OVER = "image-over-budget"


def initramfs(folder: Path) -> None:
    """The initramfs `initramfs`."""
    with FileSource(folder / "initramfs") as source:
        read_initramfs(Region(source, 0, source.size), Budget())


def areas(folder: Path) -> None:
    """The areas of the ISO `iso`."""
    with FileSource(folder / "iso") as source:
        CoreosIso(source, Budget())


def osmet(folder: Path) -> None:
    """The mappings of the osmet file `osmet`."""
    with (folder / "osmet").open("rb") as file:
        read_osmet(file, Budget())


def minimal(folder: Path) -> None:
    """The minimal ISO whose packed part is the file `packed`."""

    class Full:
        size = MIB

    packed = (folder / "packed").read_bytes()
    MinimalIso(Full(), Miniso("x", [Shared(1, 1, SECTOR)], bytes(32), packed), Budget())  # type: ignore[arg-type]


def run(folder: Path) -> None:
    """`bootimg run` of the file `disk`, whose architecture the command line says."""
    words = ["run", "--arch", "x86_64", "--cache", str(folder / "cache"), str(folder / "disk")]
    program.main(words, standalone_mode=False)


@case(initramfs, f"{OVER}/ratio", quick=True)
def zeros_in_an_initramfs(folder: Path) -> None:
    """an initramfs of 4 GiB of zeros in 130 KB of zstd"""
    start = cpio.header("x", cpio.LARGEST, 1)
    (folder / "initramfs").write_bytes(zeros_in_zstd(4 * GIB, after=start))


@case(initramfs, f"{OVER}/link-steps")
def names_in_an_initramfs(folder: Path) -> None:
    """an initramfs of 1.5 million empty files in zstd"""
    one = cpio.header("x", 0, 1)
    (folder / "initramfs").write_bytes(zstandard.compress(one * 1_500_000))


@case(initramfs, f"{OVER}/link-steps")
def streams_in_an_initramfs(folder: Path) -> None:
    """an initramfs of 60 000 compressed streams that are an empty archive each"""
    empty = zstandard.compress(cpio.header(cpio.TRAILER, 0, 1))
    (folder / "initramfs").write_bytes((empty + cpio.padding(len(empty))) * 60_000)


@case(areas, f"{OVER}/link-steps")
def records_of_an_iso(folder: Path) -> None:
    """an ISO whose root folder has 2.6 million records"""
    path = write(live_iso().layout(), folder / "iso").path
    data, record = bytearray(path.read_bytes()), bytearray(40)
    record[:1], record[32:34] = b"\x28", b"\x05x"
    root = (record * (SECTOR // 40)).ljust(SECTOR, b"\0") * (2_600_000 // (SECTOR // 40))
    struct.pack_into("<I", data, 16 * SECTOR + 156 + 2, len(data) // SECTOR)
    struct.pack_into("<I", data, 16 * SECTOR + 156 + 10, len(root))
    path.write_bytes(data + root)


@case(osmet, f"{OVER}/metadata")
def mappings_of_an_osmet_file(folder: Path) -> None:
    """an osmet file with a million mappings"""
    head = MAGIC + number(1) + text("x") + number(512) + text("x") + text("x")
    one = number(0) + number(0) + number(1) + bytes(32)
    (folder / "osmet").write_bytes(head + number(1) + number(0) * 2 + number(10**6) + one * 10**6)


@case(minimal, f"{OVER}/metadata", quick=True)
def rest_of_a_minimal_iso(folder: Path) -> None:
    """a minimal ISO with 400 MiB of zeros beside its shared files, in 60 KB of xz"""
    packer = lzma.LZMACompressor(preset=0)
    with (folder / "packed").open("wb") as file:
        for _ in range(50):
            file.write(packer.compress(bytes(8 * MIB)))
        file.write(packer.flush())


@case(run, "image-unreadable", quick=True)
def disk_of_petabytes(folder: Path) -> None:
    """a qcow2 of 400 KB that claims to be a disk of 100 PiB, behind `run --arch`"""
    cluster = 2 * MIB
    fields = (2, 0, 0, 21, 100 << 50, 0, 204_800, cluster, 2 * cluster, 1, 0, 0)
    with (folder / "disk").open("wb") as file:
        file.write(struct.pack(">IIQIIQIIQQIIQ", 0x514649FB, *fields))
        file.truncate(4 * cluster)
        file.seek(2 * cluster)
        file.write(struct.pack(">Q", 3 * cluster))
        file.seek(3 * cluster)
        file.write(struct.pack(">5H", 1, 1, 1, 1, 1))
