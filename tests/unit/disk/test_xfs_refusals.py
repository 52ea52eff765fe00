"""What the filler refuses, how mkfs.xfs is called, and the file systems that hypothesis does not reach."""

from __future__ import annotations

import hashlib
import os
import struct
from pathlib import Path

import pytest

from bootimg import process
from bootimg.crc32c import crc32c, crc32c_records
from bootimg.disk.extents import FileSource, data_chunks
from bootimg.disk.filetree import HostRange, Node
from bootimg.disk.xfs import XfsOptions, fill_xfs, make_xfs
from bootimg.disk.xfs.directoryindex import block_count
from bootimg.disk.xfs.freespace import FreeSpace
from bootimg.disk.xfs.hashtree import name_hash
from bootimg.errors import BootimgError
from bootimg.sizes import MIB
from tests.support.xfs import xfstrees
from tests.support.xfs.xfsimages import NOW, SMALL, UUID, empty_image, fill_and_check
from tests.support.xfs.xfstrees import ROOT, file, folder, label, link

UNKNOWN = {
    "reverse mapping": ("-m", "rmapbt=1"),
    "64-bit extent counters": ("-i", "nrext64=1"),
    "no reflink": ("-m", "reflink=0,bigtime=1"),
    "no big times": ("-m", "bigtime=0"),
    "large inodes": ("-i", "size=1024"),
    "blocks of 1 KiB": ("-b", "size=1024"),
    "version 4": ("-m", "crc=0,finobt=0,reflink=0,bigtime=0,inobtcount=0"),
    "case is ignored": ("-n", "version=ci"),
    "large directory blocks": ("-n", "size=8192"),
}


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return tmp_path / "root.xfs"


@pytest.mark.parametrize("what", UNKNOWN)
def test_features_that_the_filler_does_not_know(what: str, image: Path) -> None:
    image.touch()
    os.truncate(image, SMALL)
    process.run(["mkfs.xfs", "-q", *UNKNOWN[what], image])
    refused(image, "xfs-feature-unsupported")


def test_a_file_system_that_has_files(image: Path) -> None:
    fill_xfs(empty_image(image), [ROOT, file(b"a")], now=NOW)
    refused(image, "xfs-not-fresh")


@pytest.mark.parametrize("at", (0, 40, 512 + 20, 1024 + 20, 1536 + 40, 4096 + 60), ids=str)
def test_a_damaged_header(at: int, image: Path) -> None:
    empty_image(image)
    with image.open("r+b") as data:
        data.seek(at)
        byte = data.read(1)[0]
        data.seek(at)
        data.write(bytes([byte ^ 1]))
    refused(image, "xfs-not-fresh")


def test_an_image_that_ends_too_early(image: Path) -> None:
    os.truncate(empty_image(image), SMALL // 2)
    refused(image, "xfs-not-fresh")


def refused(image: Path, id: str) -> None:
    before = content(image)
    with pytest.raises(BootimgError) as caught:
        fill_xfs(image, [ROOT], now=NOW)
    assert caught.value.id == id
    assert content(image) == before


def content(image: Path) -> list[tuple[int, bytes]]:
    """The pieces of a sparse file that are no holes."""
    with FileSource(image) as source:
        return [(at, source.read(at, length)) for at, length in data_chunks(source, 0, source.size, MIB)]


def digest(image: Path) -> str:
    with image.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()


@pytest.mark.parametrize("usage", ("", "nrext64=0|1", "exchange=0|1 parent=0|1 metadir=0|1 autofsck=0|1"))
def test_newer_switches_are_given_where_they_are_known(
    usage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "mkfs.xfs"
    tool.write_text(f'#!/bin/sh\necho "{usage}" >&2\necho "$@" >> {tmp_path}/called\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    (tmp_path / "image").touch()
    make_xfs(tmp_path / "image", size=SMALL, options=XfsOptions(uuid=UUID, label="root"))
    called = (tmp_path / "called").read_text().splitlines()[-1]
    for switch in ("nrext64", "exchange", "parent", "metadir", "autofsck"):
        assert (f"{switch}=0" in called) == (switch in usage)
    assert f"uuid={UUID}" in called and "agcount=4" in called and "-L root" in called


def test_an_mkfs_that_is_too_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "mkfs.xfs"
    tool.write_text("#!/bin/sh\necho 'unknown option -m bigtime=1' >&2\nexit 1\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    (tmp_path / "image").touch()
    with pytest.raises(BootimgError) as caught:
        make_xfs(tmp_path / "image", size=SMALL, options=XfsOptions(uuid=UUID))
    assert caught.value.id == "xfs-feature-unsupported"
    tool.write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(BootimgError) as caught:
        make_xfs(tmp_path / "image", size=SMALL, options=XfsOptions(uuid=UUID))
    assert caught.value.id == "program-failed"


def test_the_bytes_change_on_purpose_only(image: Path) -> None:
    fill_xfs(empty_image(image), golden(), now=NOW)
    assert digest(image) == "c87ca3383035d4bf9e79e19be236612c38b499dab202badea4ba29a12801b943"


def golden() -> list[Node]:
    return [
        *xfstrees.shared(),
        folder(b"folder", xattrs=(label(), (b"user.large", b"v" * 5000))),
        *(link(b"folder/%d" % each, b"source2") for each in range(1000)),
    ]


def test_free_space_in_many_pieces(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every fork becomes a tree of extents, the attributes' too."""

    def take_single(self: FreeSpace, blocks: int) -> tuple[int, int] | None:
        start = self.take(1, alignment=2)
        return None if start is None else (start, 1)

    monkeypatch.setattr(FreeSpace, "take_most", take_single)
    attributes = tuple((b"user.a%d" % each, bytes([each]) * 5000) for each in range(60))
    nodes = [
        ROOT,
        folder(b"folder", xattrs=(label(), *attributes)),
        file(b"target", b"t" * 200_000, xattrs=attributes[:3]),
        *(link(b"folder/%d" % each, b"target") for each in range(3000)),
        file(b"copy", None, reflink=b"target", xattrs=attributes[:10]),
    ]
    fill_and_check(empty_image(image), nodes)


def test_checksums_of_many_records_are_those_of_each() -> None:
    for count in (0, 1, 11, 12, 13, 300):
        records = bytes(each * each >> 3 & 255 for each in range(count * 64))
        wanted = [crc32c(records[at : at + 64]) for at in range(0, len(records), 64)]
        assert crc32c_records(records, 64) == wanted


def test_hashes_of_names() -> None:
    # Worked out by hand from the rule: seven bits a byte.
    assert name_hash(b".") == 0x2E
    assert name_hash(b"..") == 0x2E << 7 ^ 0x2E
    assert name_hash(b"abc") == 0x61 << 14 ^ 0x62 << 7 ^ 0x63
    assert name_hash(b"abcd") == 0x61 << 21 ^ 0x62 << 14 ^ 0x63 << 7 ^ 0x64
    four = name_hash(b"abcd")
    assert name_hash(b"abcde") == 0x65 ^ (four << 7 | four >> 25) & 0xFFFFFFFF
    assert len({name_hash(xfstrees.same_hash(each)) for each in range(4096)}) == 1


@pytest.mark.parametrize("count", (2, 100, 170, 400, 450, 3000))
def test_the_plan_counts_the_blocks_that_a_directory_takes(count: int, image: Path) -> None:
    names = [struct.pack(">I", each).hex().encode() * 3 for each in range(count)]
    nodes = [ROOT, file(b"target"), folder(b"d", xattrs=(label(), (b"user.a", b"v" * 200)))]
    nodes += [link(b"d/" + name, b"target") for name in names]
    fill_xfs(empty_image(image), nodes, now=NOW)
    printed = process.run(["xfs_db", "-r", "-c", "path /d", "-c", "print core.nblocks", image]).stdout
    assert int(printed.split()[-1]) == (block_count(names) if count > 2 else 0)


def test_a_signal_behind_a_close_is_no_second_close(
    image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The number of a closed file may be another file's by then."""
    nodes = [ROOT]
    empty_image(image)
    for name in (b"a", b"b"):
        source = tmp_path / name.decode()
        source.write_bytes(name * 5000)
        nodes.append(file(name, HostRange(source), size=5000))
    close = os.close
    stopped: list[int] = []

    def stop(fd: int) -> None:
        close(fd)
        if not stopped:
            stopped.append(fd)
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("bootimg.disk.xfs.contents.os.close", stop)
        fill_xfs(image, nodes, now=NOW)
    assert stopped
