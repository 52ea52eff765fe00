"""What is compressed on the way: accepted by gzip, xz and zstd, and the same as what was not."""

import gzip
import hashlib
import lzma
import os
import random
import shutil
import subprocess
import zlib
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from isal import isal_zlib

from bootimg.disk.extents import Extent, is_zero
from bootimg.errors import BootimgError
from bootimg.formats import WRITERS, Compressor, Packing
from bootimg.formats.compression import gzipwrite, xzwrite
from bootimg.formats.compression.decompress import PlainReader, is_compressed
from bootimg.formats.compression.unpack import unpack as unpack_file
from bootimg.formats.compression.writer import open_output
from bootimg.formats.crc import crc32_zeros
from bootimg.sizes import GIB, KIB, MIB
from tests.support.disks import DISKS, make_disk, run, write

PACKERS = [each for each in Compressor if each is not Compressor.NONE]
PROGRAMS = {Compressor.GZIP: "gzip", Compressor.XZ: "xz", Compressor.ZSTD: "zstd"}
# More than a block of xz.
ZEROS = 17 * MIB
FIRST, LAST = b"first" * 70_000, random.Random(1).randbytes(300_000) + b"last" * 9


def unpack(compressor: Compressor, path: Path) -> bytes:
    if not shutil.which(PROGRAMS[compressor]):
        pytest.skip(f"{PROGRAMS[compressor]} is not installed")
    return subprocess.run([PROGRAMS[compressor], "-dcq"], stdin=path.open(), stdout=-1, check=True).stdout


CASES = [
    *[(compressor, "raw", disk) for compressor in PACKERS for disk in DISKS],
    *[(Compressor.GZIP, name, "holes") for name in ("qcow2", "vmdk", "vhdx")],
    (Compressor.ZSTD, "vmdk", "odd sectors"),
    (Compressor.XZ, "vhdx", "end only"),
]


@pytest.mark.parametrize(("compressor", "disk_format", "disk"), CASES)
def test_a_compressed_artifact_is_the_plain_one_compressed(
    tmp_path: Path, compressor: Compressor, disk_format: str, disk: str
) -> None:
    raw = make_disk(tmp_path / "raw", *DISKS[disk])
    plain = write(disk_format, raw, tmp_path / "plain")
    packed = write(disk_format, raw, tmp_path / "packed", compressor=compressor)
    assert (packed.uncompressed_size, packed.uncompressed_sha256) == (plain.size, plain.sha256)
    data, expected = packed.path.read_bytes(), plain.path.read_bytes()
    assert (packed.size, packed.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert unpack(compressor, packed.path) == expected
    with PlainReader(packed.path) as reader:
        assert b"".join(reader) == expected
        assert reader.written() == packed
    assert sorted(each.name for each in tmp_path.iterdir()) == ["packed", "plain", "raw"]


@pytest.mark.parametrize("compressor", PACKERS)
def test_the_bytes_do_not_depend_on_the_threads(tmp_path: Path, compressor: Compressor) -> None:
    raw = make_disk(tmp_path / "raw", 33 * MIB, [(0, 700), (15 * MIB + 5, MIB + 300)])
    digests = {
        write("raw", raw, tmp_path / str(count), compressor=compressor, threads=count).sha256
        for count in (1, 3)
    }
    assert len(digests) == 1


Piece = tuple[bool, int, int]


@pytest.mark.parametrize("compressor", PACKERS)
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(pieces=st.lists(st.tuples(st.booleans(), st.integers(0, 700 * KIB), st.integers(0, 9)), max_size=8))
def test_any_order_of_data_and_zeros(tmp_path: Path, compressor: Compressor, pieces: list[Piece]) -> None:
    expected = b""
    with open_output(tmp_path / "out", Packing(compressor, 2)) as file:
        for zeros, length, seed in pieces:
            data = bytes(length) if zeros else random.Random(seed).randbytes(1 + length // 3) * 3
            expected += data
            if zeros:
                file.skip(length)
            else:
                file.write(data)
        assert file.position == len(expected)
        assert file.digest() == hashlib.sha256(expected).hexdigest()
        written = file.finish(tmp_path / "out")
    assert unpack(compressor, written.path) == expected
    with PlainReader(written.path) as reader:
        assert b"".join(reader) == expected


@pytest.mark.parametrize("compressor", PACKERS)
@settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(cuts=st.lists(st.integers(0, ZEROS), max_size=6), skipped=st.sets(st.integers(0, 5)))
def test_the_bytes_do_not_depend_on_how_zeros_come(
    tmp_path: Path, compressor: Compressor, cuts: list[int], skipped: set[int]
) -> None:
    pieces = sorted(len(FIRST) + cut for cut in cuts)
    assert in_pieces(compressor, tmp_path, pieces, skipped) == in_one_piece(compressor, tmp_path)


def in_pieces(compressor: Compressor, folder: Path, cuts: list[int], skipped: set[int]) -> str:
    """The digest of data, zeros and data that come cut into pieces; some of the zeros are skipped."""
    content = FIRST + bytes(ZEROS) + LAST
    with open_output(folder / "out", Packing(compressor, 2)) as file:
        for number, (start, end) in enumerate(pairwise([0, *cuts, len(content)])):
            data = content[start:end]
            if number in skipped and is_zero(data):
                file.skip(len(data))
            else:
                file.write(data)
        return file.finish(folder / "out").sha256


@cache
def in_one_piece(compressor: Compressor, folder: Path) -> str:
    return in_pieces(compressor, folder, [], set())


def test_gzip_is_one_member_without_name_and_time(tmp_path: Path) -> None:
    raw = make_disk(tmp_path / "raw", 9 * MIB, [(0, 4 * MIB), (8 * MIB, 100)])
    out = write("raw", raw, tmp_path / "out", compressor=Compressor.GZIP).path
    data = out.read_bytes()
    assert data[:10] == bytes.fromhex("1f8b0800000000000003")
    member = zlib.decompressobj(31)
    assert member.decompress(data) == raw.read_bytes()
    assert member.eof
    assert member.unused_data == b""
    assert gzip.decompress(data) == raw.read_bytes()
    assert unpack(Compressor.GZIP, out) == raw.read_bytes()


@pytest.mark.parametrize("kind", ["text", "machine code"])
def test_gzip_is_about_as_small_as_the_program(tmp_path: Path, kind: str) -> None:
    files = [Path(os.__file__).parent.glob("*.py"), Path("/usr/bin").glob("*")][kind == "machine code"]
    raw = tmp_path / "raw"
    chosen = [path for path in sorted(files) if path.is_file()]
    raw.write_bytes(b"".join(path.read_bytes() for path in chosen[:60])[: 12 * MIB])
    theirs = len(run("gzip", "-6", "-n", "-c", raw))
    assert write("raw", raw, tmp_path / "out", compressor=Compressor.GZIP).size <= 1.03 * theirs


def test_xz_is_one_stream_of_blocks_that_xz_can_list(tmp_path: Path) -> None:
    raw = make_disk(tmp_path / "raw", 60 * MIB, [(0, MIB)])
    out = write("raw", raw, tmp_path / "out.xz", compressor=Compressor.XZ).path
    if not shutil.which("xz"):
        pytest.skip("xz is not installed")
    totals = run("xz", "--robot", "--list", out).decode().splitlines()[-1].split("\t")
    assert totals[:5] == ["totals", "1", "4", str(out.stat().st_size), str(60 * MIB)]
    assert totals[6] == "CRC64"
    assert lzma.decompress(out.read_bytes()) == raw.read_bytes()
    run("xz", "-t", "-T2", out)


def test_zstd_is_one_frame_with_a_checksum(tmp_path: Path) -> None:
    raw = make_disk(tmp_path / "raw", 6 * MIB, [(0, MIB)])
    out = write("raw", raw, tmp_path / "out.zst", compressor=Compressor.ZSTD).path
    if not shutil.which("zstd"):
        pytest.skip("zstd is not installed")
    frames, skips, *_, check, _ = run("zstd", "-l", out).decode().splitlines()[1].split()
    assert (frames, skips, check) == ("1", "0", "XXH64")


@pytest.mark.parametrize("length", [0, 1, 7, 4096, 123456])
def test_the_checksum_of_zeros_needs_no_zeros(length: int) -> None:
    for before in (b"", b"x", b"123456789"):
        assert crc32_zeros(zlib.crc32(before), length) == zlib.crc32(before + bytes(length))


def test_many_zeros_are_cheap() -> None:
    parts: list[int] = []
    with gzipwrite.GzipCodec(lambda data: parts.append(len(data)), 2) as codec:
        codec.write(b"x")
        codec.skip(64 * GIB)
        codec.finish()
    assert 64 * MIB < sum(parts) < 80 * MIB


def test_blocks_of_xz_are_what_liblzma_reads() -> None:
    data, unpadded, length = xzwrite.compress([b"hello" * 1000])
    assert length == 5000
    assert 0 <= len(data) - unpadded < 4


@pytest.mark.parametrize("compressor", PACKERS)
def test_zeros_do_not_come_all_at_once(tmp_path: Path, compressor: Compressor) -> None:
    raw = make_disk(tmp_path / "raw", 80 * MIB, [(MIB, 20)])
    packed = write("raw", raw, tmp_path / "packed", compressor=compressor)
    with PlainReader(packed.path) as reader:
        lengths = [len(data) for data in reader]
    assert sum(lengths) == 80 * MIB
    assert max(lengths) <= 33 * MIB


def test_an_xz_that_wants_more_memory_than_any_is_refused(tmp_path: Path) -> None:
    data = bytearray(lzma.compress(b"x" * 100, preset=9))
    assert data[12:17] == b"\x02\0\x21\x01\x1c"
    # The dictionary's size, of 4 GiB now, and the checksum of the block's header.
    data[16] = 40
    data[20:24] = zlib.crc32(data[12:20]).to_bytes(4, "little")
    (tmp_path / "large.xz").write_bytes(data)
    with pytest.raises(BootimgError) as caught, PlainReader(tmp_path / "large.xz") as reader:
        list(reader)
    assert caught.value.id == "compressed-file-damaged"
    assert "Memory" in caught.value.message


def test_plain_files_are_read_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"abc" * MIB)
    assert not is_compressed(tmp_path / "plain")
    with PlainReader(tmp_path / "plain") as reader:
        assert b"".join(reader) == b"abc" * MIB
        assert reader.written().uncompressed_sha256 is None
        assert reader.written().size == 3 * MIB


@pytest.mark.parametrize("compressor", PACKERS)
@pytest.mark.parametrize("damage", ["cut short", "changed", "more behind it", "joined"])
def test_damage_is_found(tmp_path: Path, compressor: Compressor, damage: str) -> None:
    raw = make_disk(tmp_path / "raw", MIB, [(0, MIB)])
    out = write("raw", raw, tmp_path / "out", compressor=compressor).path
    data = bytearray(out.read_bytes())
    if damage == "cut short":
        del data[-20:]
    elif damage == "changed":
        data[len(data) // 2] ^= 0x55
    elif damage == "joined":
        data *= 2
    else:
        data += b"more"
    out.write_bytes(data)
    assert is_compressed(out)
    with pytest.raises(BootimgError) as caught, PlainReader(out) as reader:
        for _ in reader:
            pass
    assert caught.value.id == "compressed-file-damaged"
    assert str(out) in caught.value.message


@pytest.mark.parametrize("compressor", PACKERS)
def test_more_content_than_is_known_of_it_is_not_written(tmp_path: Path, compressor: Compressor) -> None:
    raw = make_disk(tmp_path / "raw", GIB, [(0, MIB)])
    out = write("raw", raw, tmp_path / "packed", compressor=compressor).path
    assert unpack_file(out, tmp_path / "out", need=GIB).size == GIB
    (tmp_path / "out").unlink()
    for need in (GIB - 1, 0):
        with pytest.raises(BootimgError) as caught:
            unpack_file(out, tmp_path / "out", need=need)
        assert caught.value.id == "compressed-file-damaged"
        assert {path.name for path in tmp_path.iterdir()} == {"raw", "packed"}


@pytest.mark.parametrize("compressor", Compressor)
def test_an_error_in_the_middle_leaves_nothing(tmp_path: Path, compressor: Compressor) -> None:
    class Broken:
        size = 8 * MIB

        def extents(self) -> Iterator[Extent]:
            yield Extent(0, self.size, data=True)

        def read(self, offset: int, length: int) -> bytes:
            if offset > 5 * MIB:
                raise OSError(5, "Input/output error")
            return b"x" * length

    (tmp_path / "out").write_text("old")
    for writer in WRITERS.values():
        with pytest.raises(OSError, match="Input/output"):
            writer(Broken(), tmp_path / "out", {}, None, Packing(compressor, 2))
        assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_isal_reads_it_too(tmp_path: Path) -> None:
    raw = make_disk(tmp_path / "raw", 3 * MIB, [(0, MIB)])
    out = write("raw", raw, tmp_path / "out", compressor=Compressor.GZIP).path
    assert isal_zlib.decompress(out.read_bytes(), 31) == raw.read_bytes()
