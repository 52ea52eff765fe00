"""The archive for Google Cloud and what it is made of, read by GNU tar and by tarfile."""

import hashlib
import subprocess
import tarfile
from pathlib import Path

import pytest

from bootimg.disk.extents import FileSource
from bootimg.formats import sparsetar
from bootimg.formats.compression.writer import Packing, open_output
from bootimg.formats.gcptar import disk_size
from bootimg.formats.output import ReadingProgress
from bootimg.sizes import GIB, KIB, MIB
from tests.support.disks import DISKS, make_disk, run, write


@pytest.mark.parametrize("disk", DISKS)
def test_tar_and_tarfile_read_the_disk_back(tmp_path: Path, disk: str) -> None:
    raw, out = make_disk(tmp_path / "raw", *DISKS[disk]), tmp_path / "out.tar.gz"
    written = write("gcp", raw, out)
    (tmp_path / "there").mkdir()
    run("tar", "-xzf", out, "-C", tmp_path / "there")
    assert [path.name for path in (tmp_path / "there").iterdir()] == ["disk.raw"]
    assert (tmp_path / "there/disk.raw").read_bytes() == raw.read_bytes()
    with tarfile.open(out) as archive:
        (member,) = archive.getmembers()
        stream = archive.extractfile(member)
        assert stream is not None
        assert stream.read() == raw.read_bytes()
    assert member.issparse() or disk in ("all random", "one sector")
    assert (member.name, member.size, member.mode) == ("disk.raw", raw.stat().st_size, 0o644)
    assert (member.uid, member.gid, member.mtime, member.uname) == (0, 0, 0, "root")
    plain = subprocess.run(["gzip", "-dc"], stdin=out.open(), stdout=-1, check=True).stdout
    assert plain[257:265] == b"ustar  \0"
    assert len(plain) % 10240 == 0
    assert written.uncompressed_sha256 == hashlib.sha256(plain).hexdigest()


def test_more_regions_than_fit_into_the_header(tmp_path: Path) -> None:
    spots = [(number * 200 * KIB, 1) for number in range(50)]
    raw, out = make_disk(tmp_path / "raw", 12 * MIB, spots), tmp_path / "out.tar.gz"
    write("gcp", raw, out)
    run("tar", "-xzf", out, "-C", tmp_path)
    assert (tmp_path / "disk.raw").read_bytes() == raw.read_bytes()
    with tarfile.open(out) as archive:
        stream = archive.extractfile("disk.raw")
        assert stream is not None
        assert stream.read() == raw.read_bytes()


def test_a_disk_larger_than_octal_numbers(tmp_path: Path) -> None:
    raw = make_disk(tmp_path / "raw", 16 * GIB, [(0, KIB), (9 * GIB, KIB), (16 * GIB - KIB, KIB)])
    if raw.stat().st_blocks * 512 > MIB:
        pytest.skip("this filesystem has no holes")
    out = tmp_path / "out.tar"
    with FileSource(raw) as source, open_output(out, Packing()) as file:
        sparsetar.write_sparse(file, "disk.raw", source, ReadingProgress(None, 0))
        sparsetar.end(file)
        file.finish(out)
    (tmp_path / "there").mkdir()
    run("tar", "-xf", out, "-C", tmp_path / "there")
    there = tmp_path / "there/disk.raw"
    assert there.stat().st_size == 16 * GIB
    with raw.open("rb") as one, there.open("rb") as other:
        for place in (0, 9 * GIB, 16 * GIB - KIB):
            one.seek(place)
            other.seek(place)
            assert one.read(KIB) == other.read(KIB)
    assert there.stat().st_blocks * 512 < MIB
    with tarfile.open(out) as archive:
        assert archive.getmembers()[0].size == 16 * GIB


def test_the_archive_is_sparse_as_gnu_tar_makes_it(tmp_path: Path) -> None:
    raw, out = make_disk(tmp_path / "disk.raw", 64 * MIB, [(10 * MIB, MIB)]), tmp_path / "out.tar.gz"
    written = write("gcp", raw, out)
    theirs = run("tar", "--format=oldgnu", "--sparse", "-cf", "-", "-C", tmp_path, "disk.raw")
    assert written.uncompressed_size is not None
    assert abs(written.uncompressed_size - len(theirs)) <= 64 * KIB


@pytest.mark.parametrize(("size", "spots"), [(MIB, [(0, MIB)]), (MIB, []), (9 * GIB, [(9 * GIB - 1, 1)])])
def test_the_disk_s_size_is_told_from_the_first_header(
    tmp_path: Path, size: int, spots: list[tuple[int, int]]
) -> None:
    raw, out = make_disk(tmp_path / "raw", size, spots), tmp_path / "out.tar.gz"
    write("gcp", raw, out)
    assert disk_size(out) == size


@pytest.mark.parametrize("form", [["--format=oldgnu", "--sparse"], ["--format=gnu"], ["--format=ustar"]])
def test_the_disk_s_size_is_told_of_an_archive_by_gnu_tar(tmp_path: Path, form: list[str]) -> None:
    make_disk(tmp_path / "disk.raw", 3 * MIB, [(0, 10), (2 * MIB, 10)])
    run("tar", *form, "-czf", tmp_path / "out.tar.gz", "-C", tmp_path, "disk.raw")
    assert disk_size(tmp_path / "out.tar.gz") == 3 * MIB


@pytest.mark.parametrize("data", [b"", b"disk.raw", b"\x1f\x8b\x08 and no gzip", bytes(512),
                                  b"disk.raw".ljust(512, b"\0"), b"disk.raw".ljust(512, b"9")])  # fmt: skip
def test_what_is_no_such_archive_has_no_size(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "out.tar.gz").write_bytes(data)
    assert disk_size(tmp_path / "out.tar.gz") is None
