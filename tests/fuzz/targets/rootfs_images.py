"""Live media's files: archives of an initramfs, and the superblock of the root file system."""

from __future__ import annotations

import gzip
import io
import lzma
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import zstandard

from bootimg.disk.extents import FileSource
from bootimg.live import cpio
from bootimg.live.cpio import Member
from bootimg.live.cpioread import read_archive, read_member
from bootimg.live.fsheader import read_header
from bootimg.live.initramfs import VERSION, WANT_ROOTFS
from bootimg.live.malformed import MalformedError
from bootimg.live.reading.initramfs import read_initramfs
from bootimg.live.reading.region import Region
from bootimg.live.reading.rootfs import read_rootfs
from bootimg.live.reading.wanthash import parse_want
from bootimg.sizes import MIB
from bootimg.untrusted.budget import Budget
from tests.fuzz.target import refusals, target
from tests.support.live.livefiles import archive, rootfs_image, squashfs, want_rootfs


def _archives() -> Iterator[bytes]:
    yield b"".join(
        cpio.members([Member("root.squashfs", b"hsqs" + bytes(60)), Member("etc/version", b"v1\n")])
    )
    yield b"".join(cpio.members([]))


@target(
    _archives, words=("070701", "TRAILER!!!", "000081a4", "ffffffff", "00000000"), runs=1500, longest=2048
)
def cpio_archive(data: bytes, folder: Path) -> None:
    """An archive: each member is within it, and has the content that the archive has there."""
    file = io.BytesIO(data)
    with refusals():
        for found in read_archive(file, 0, len(data), Budget()):
            content = read_member(file, found, Budget())
            assert len(content) == found.size
            assert data[found.offset : found.offset + found.size] == content


def _initramfs() -> Iterator[bytes]:
    own, live = archive({"init": b"a program"}), archive({VERSION: b"1\n", WANT_ROOTFS: b"sums\n"})
    yield own + live
    for pack in (gzip.compress, lzma.compress, zstandard.compress):
        packed = pack(own)
        yield packed + cpio.padding(len(packed)) + live


@target(_initramfs, words=("070701", "TRAILER!!!", "\x1f\x8b\x08", "\xfd7zXZ"), runs=1500, longest=2048)
def live_initramfs(data: bytes, folder: Path) -> None:
    """An initramfs of archives and compressed streams: what it has is short, or it is refused."""
    with _source(data, folder) as source, refusals():
        found = read_initramfs(Region(source, 0, source.size), Budget())
        assert found.version is None or len(found.version) <= 256


@target(lambda: [rootfs_image(filesystem=squashfs(300))], words=("hsqs", "OSMET"), runs=1500, longest=4096)
def live_rootfs(data: bytes, folder: Path) -> None:
    """A rootfs image: its file system is inside it, and an osmet file is read or has a problem."""
    with _source(data, folder) as source, refusals():
        found = read_rootfs(Region(source, 0, source.size), Budget())
        assert found.filesystem.size <= len(data)
        assert all((each.facts is None) != (each.problem is None) for each in found.osmets)


@target(lambda: [want_rootfs(bytes(5000))], words=("stream-hash sha256 ",), runs=1500, longest=1024)
def live_checksums(data: bytes, folder: Path) -> None:
    """The checksums of a rootfs image; an image that is not there has none."""
    try:
        want = parse_want(data)
    except MalformedError:
        return
    assert 0 < want.chunk <= 64 * MIB
    with _source(b"", folder) as source:
        found = want.compare(Region(source, 0, 0))
    assert (found.difference is None) == (want.digests == ())


def _source(data: bytes, folder: Path) -> FileSource:
    file = folder / "file"
    file.write_bytes(data)
    return FileSource(file)


@cache
def _file_systems() -> list[bytes]:
    found = []
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "tree").mkdir()
        (folder / "tree/f").write_bytes(b"text " * 100)
        for argv in (["mksquashfs", "tree", "one", "-quiet", "-no-progress"], ["mkfs.erofs", "two", "tree"]):
            subprocess.run(argv, cwd=folder, check=True, capture_output=True)
        found += [(folder / each).read_bytes() for each in ("one", "two")]
    return found


@target(_file_systems, words=("hsqs", "\xe2\xe1\xf5\xe0"), runs=1500, longest=8192)
def live_root_header(data: bytes, folder: Path) -> None:
    """A root file system: it is within the file, or refused."""
    with refusals():
        found = read_header(io.BytesIO(data), 0)
        assert 0 <= found.size <= len(data)
