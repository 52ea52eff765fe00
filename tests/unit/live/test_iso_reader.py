"""The ISO reader: what it sees, and what it refuses of damaged images."""

from __future__ import annotations

import gzip
import lzma
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from bootimg.disk.extents import FileSource
from bootimg.errors import BootimgError
from bootimg.live.iso.image import IsoImage
from bootimg.live.iso.sectors import SECTOR
from tests.support.live.liveiso import VOLUME, live_iso, write, written_iso

PRIMARY = 16 * SECTOR
ROOT = PRIMARY + 156


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return written_iso(tmp_path_factory.mktemp("iso") / "x.iso").read_bytes()


def error_of(path: Path) -> BootimgError:
    with pytest.raises(BootimgError) as caught, FileSource(path) as source:
        list(IsoImage(source).walk())
    return caught.value


def test_every_file_is_found_by_its_name_in_any_case(tmp_path: Path) -> None:
    layout = live_iso().layout()
    iso = write(layout, tmp_path / "x.iso").path
    with FileSource(iso) as source:
        image = IsoImage(source)
        assert (image.volume.id, image.volume.has_joliet) == (VOLUME.id, True)
        for path in ("images/pxeboot/rootfs.img", "EFI/redhat/grub.cfg", "isolinux/isolinux.bin"):
            record = image.find(path)
            assert record is not None
            assert record.offset == layout.offsets[path]
            assert image.read(record.offset, record.length) == layout.files[path].content
        for path in ("images", "IMAGES/PXEBOOT"):
            record = image.find(path)
            assert record is not None
            assert record.folder
        assert image.find("images/none") is None
        assert image.find("isolinux/isolinux.bin/none") is None


def test_walk_finds_as_many_files_as_were_written(original: bytes, tmp_path: Path) -> None:
    iso = tmp_path / "x.iso"
    iso.write_bytes(original)
    with FileSource(iso) as source:
        files = [each for each in IsoImage(source).walk() if not each.folder]
    assert len(files) == len(live_iso().layout().files)


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress, zstandard.ZstdCompressor().compress])
def test_a_compressed_iso_is_refused(pack: Callable[[bytes], bytes], original: bytes, tmp_path: Path) -> None:
    iso = tmp_path / "x.iso.packed"
    iso.write_bytes(pack(original))
    assert error_of(iso).id == "iso-compressed"


@pytest.mark.parametrize("data", [b"", b"text", bytes(1 << 16), b"CD001" * 20000])
def test_what_is_no_iso_is_refused(data: bytes, tmp_path: Path) -> None:
    iso = tmp_path / "x.iso"
    iso.write_bytes(data)
    assert error_of(iso).id == "iso-unreadable"


def put(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "cut off": lambda data: data[: len(data) // 2],
    "no primary descriptor": lambda data: put(data, PRIMARY, b"\x03"),
    "no terminator": lambda data: put(data, PRIMARY + 3 * SECTOR, bytes(SECTOR)),
    "volume larger than the file": lambda data: put(data, PRIMARY + 80, struct.pack("<I", 1 << 20)),
    "root after the end": lambda data: put(data, ROOT + 2, struct.pack("<I", 0xFFFFFFF)),
    "huge root": lambda data: put(data, ROOT + 10, struct.pack("<I", 0xFFFFFFFF)),
    "record longer than its folder": lambda data: put(
        data, ROOT + 10, struct.pack("<I", third_record(data) - root_at(data) + 40)
    ),
    "record without a name": lambda data: put(data, third_record(data) + 32, b"\0"),
    "name longer than its record": lambda data: put(data, third_record(data) + 32, b"\xf0"),
    "name with a slash": lambda data: put(data, third_record(data) + 33, b"/"),
    "name of the parent": lambda data: put(data, third_record(data) + 32, b"\x02.."),
    "file in several pieces": lambda data: put(
        data, third_record(data) + 25, bytes((data[third_record(data) + 25] | 0x80,))
    ),
    "folder in itself": lambda data: put(data, third_record(data) + 2, data[ROOT + 2 : ROOT + 6]),
}


def root_at(data: bytes) -> int:
    (sector,) = struct.unpack_from("<I", data, ROOT + 2)
    return int(sector) * SECTOR


def third_record(data: bytes) -> int:
    """The first record in the root after those of itself and its parent."""
    at = root_at(data)
    return at + data[at] + data[at + data[at]]


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_refused(damage: str, original: bytes, tmp_path: Path) -> None:
    iso = tmp_path / "x.iso"
    iso.write_bytes(DAMAGE[damage](original))
    assert error_of(iso).id == "iso-unreadable"


def test_a_catalogue_that_is_none_is_refused(original: bytes, tmp_path: Path) -> None:
    iso = tmp_path / "x.iso"
    iso.write_bytes(put(original, PRIMARY + SECTOR + 71, struct.pack("<I", 3)))
    with FileSource(iso) as source, pytest.raises(BootimgError) as caught:
        IsoImage(source).boot_entries()
    assert caught.value.id == "iso-unreadable"
