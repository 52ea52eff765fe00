"""Live media's files: archives of an initramfs, and the superblock of the root file system."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from bootimg.live import cpio
from bootimg.live.cpio import Member
from bootimg.live.cpioread import read_archive, read_member
from bootimg.live.fsheader import read_header
from tests.fuzz.target import refusals, target


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
        for found in read_archive(file, 0, len(data)):
            content = read_member(file, found)
            assert len(content) == found.size
            assert data[found.offset : found.offset + found.size] == content


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
