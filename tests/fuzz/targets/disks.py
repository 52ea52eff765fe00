"""Disk images: partition tables, qcow2, and what is compressed."""

from __future__ import annotations

import gzip
import lzma
import os
import struct
import zlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import zstandard

from bootimg.disk.extents import FileSource
from bootimg.disk.gpt import read_gpt, write_gpt
from bootimg.formats.compression.decompress import PlainReader, is_compressed
from bootimg.formats.compression.unpack import unpack
from bootimg.formats.gcptar import disk_size
from bootimg.sizes import MIB
from bootimg.vm.diskimage import open_image, refuse_references
from tests.fuzz.target import refusals, target
from tests.support.disks import read_gpt_file, write
from tests.unit.disk.test_gpt import coreos

SECTORS = 2500 * MIB // 512
HEADER_AT, TABLE_AT = 512, 1024


@cache
def _table() -> bytes:
    """The start of a disk with CoreOS's partitions: MBR, header, the first four entries."""
    with TemporaryDirectory() as folder:
        disk = Path(folder) / "disk"
        disk.touch()
        os.truncate(disk, SECTORS * 512)
        write_gpt(disk, coreos())
        with disk.open("rb") as file:
            return file.read(TABLE_AT + 512)


@target(lambda: [_table()], words=("EFI PART",), runs=1500, longest=TABLE_AT + 512)
def gpt(data: bytes, folder: Path) -> None:
    """A partition table, as it is and with the checksums that it would have."""
    disk = folder / "disk"
    for each in (data, _summed(data)):
        disk.write_bytes(each)
        os.truncate(disk, SECTORS * 512)
        for sector in (None, 512, 4096):
            # The backup copy cannot be well-formed here.
            with refusals():
                read_gpt_file(disk, sector)
        with refusals():
            _primary(disk)


def _primary(disk: Path) -> None:
    with FileSource(disk) as source:
        table = read_gpt(source, backup=False)
        assert all(sum(table.span(each.number)) > 0 for each in table.partitions)


def _summed(data: bytes) -> bytes:
    fixed = bytearray(data.ljust(TABLE_AT + 512, b"\0"))
    count, width = struct.unpack_from("<II", fixed, HEADER_AT + 80)
    if count * width <= 1 << 20:
        table = bytes(fixed[TABLE_AT:]).ljust(count * width, b"\0")[: count * width]
        struct.pack_into("<I", fixed, HEADER_AT + 88, zlib.crc32(table))
    struct.pack_into("<I", fixed, HEADER_AT + 16, 0)
    struct.pack_into("<I", fixed, HEADER_AT + 16, zlib.crc32(bytes(fixed[HEADER_AT : HEADER_AT + 92])))
    return bytes(fixed)


def _images() -> Iterator[bytes]:
    yield b'# Disk DescriptorFile\nversion=1\nparentCID=ffffffff\nRW 128 FLAT "other" 0\n'
    with TemporaryDirectory() as folder:
        raw = Path(folder) / "raw"
        raw.write_bytes(b"a" * 512 + bytes(MIB))
        for disk_format in ("qcow2", "vmdk", "vhdx"):
            write(disk_format, raw, Path(folder) / "disk")
            yield (Path(folder) / "disk").read_bytes()[: 5 << 16]
    footer = struct.pack(">8sIIQ", b"conectix", 2, 1 << 16, 512).ljust(60, b"\0") + struct.pack(">I", 4)
    yield footer.ljust(512, b"\0") + b"cxsparse".ljust(1024, b"\0")


@target(
    _images, words=("QFI\xfb", "KDMV", "vhdxfile", "conectix", "cxsparse", "regi", "metadata", "DATA",
                    "parentFileNameHint="),
    runs=300, longest=5 << 16,
)  # fmt: skip
def disk_image(data: bytes, folder: Path) -> None:
    """An image of any format: opened, or refused for what it names or lacks."""
    path = folder / "disk"
    path.write_bytes(data)
    with refusals():
        assert open_image(path).node()["driver"] in ("raw", "qcow2", "vmdk", "vhdx", "vpc")
    with refusals():
        refuse_references(path)


def _packed() -> Iterator[bytes]:
    data = b"some text " * 100 + bytes(5000)
    yield from (
        gzip.compress(data, mtime=0),
        lzma.compress(data),
        zstandard.ZstdCompressor().compress(data),
        data,
    )


@target(_packed, words=("\x1f\x8b\x08", "\xfd7zXZ", "\x28\xb5\x2f\xfd", "YZ"), runs=600)
def compressed(data: bytes, folder: Path) -> None:
    """A compressed file: its content, or that it is damaged."""
    path = folder / "disk.gz"
    path.write_bytes(data)
    is_compressed(path)
    with refusals(), PlainReader(path) as reader:
        size = sum(map(len, reader))
        assert size == reader.written().size or reader.written().uncompressed_size == size
        unpack(path, folder / "plain")
        assert (folder / "plain").stat().st_size == size


def _archives() -> Iterator[bytes]:
    for length in (1, 30):
        with TemporaryDirectory() as folder:
            disk, out = Path(folder) / "disk", Path(folder) / "out"
            disk.write_bytes((b"a" * 512 + bytes(MIB)) * length)
            write("gcp", disk, out)
            yield gzip.decompress(out.read_bytes())[:1024]


@target(_archives, words=("disk.raw", "ustar  "), runs=1500, longest=1024)
def archived_disk(data: bytes, folder: Path) -> None:
    """The header of a disk in a tar: its size, or none."""
    path = folder / "disk.tar"
    path.write_bytes(data)
    size = disk_size(path)
    assert size is None or size >= 0
