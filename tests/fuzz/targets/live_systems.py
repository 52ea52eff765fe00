"""Files in the root file system of live media: what the programs print, and file systems that they read."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from bootimg import process
from bootimg.errors import BootimgError
from bootimg.live.fsoptions import FsType
from bootimg.live.reading.erofstree import ErofsTree
from bootimg.live.reading.packedtree import PackedTree
from bootimg.live.reading.readers import require_reader
from bootimg.live.reading.squashfstree import SquashfsTree
from bootimg.untrusted.budget import Budget
from tests.fuzz.target import refusals, target

_NONE = Path("/nonexistent")


class _SquashfsListing(SquashfsTree):
    """What unsquashfs printed is in the file."""

    __slots__ = ()

    def _lines(self, words: Sequence[process.Argument]) -> Iterator[str]:
        return iter(self.path.read_bytes().decode(errors="replace").split("\n"))


class _ErofsListing(ErofsTree):
    """What dump.erofs printed is in the file."""

    __slots__ = ()

    def _lines(self, words: Sequence[process.Argument]) -> Iterator[str]:
        return iter(self.path.read_bytes().decode(errors="replace").split("\n"))


def _listed(kind: type[PackedTree], data: bytes, folder: Path) -> None:
    file = folder / "listing"
    file.write_bytes(data)
    for name in ("/", "/a", "/a/b"):
        tree = kind(file, 0, _NONE, _NONE, Budget())
        with refusals():
            found = tree.listing(name)
            assert all("/" not in each and "\n" not in each for each in found)
        with refusals():
            tree.copy("/a/file", folder / "copy", 0)


def _squashfs_lines() -> Iterator[bytes]:
    yield (
        b"drwxr-xr-x 0/0                      35 2026-11-27 11:37 top\n"
        b"drwxr-xr-x 0/0                      82 2026-11-27 11:37 top/a\n"
        b"lrwxrwxrwx 0/0                       6 2026-11-27 11:37 top/l -> ../b/f\n"
        b"crw-r--r-- 0/0                    1, 3 2026-11-27 11:37 top/null\n"
        b"-rw-r--r-- 0/0                       3 2026-11-27 11:37 top/f"
    )


@target(_squashfs_lines, words=("top/", " -> ", "2026-11-27 11:37 "), runs=1000, longest=1024)
def squashfs_listing(data: bytes, folder: Path) -> None:
    """What unsquashfs lists, with names of an image's choice."""
    _listed(_SquashfsListing, data, folder)


def _erofs_lines() -> Iterator[bytes]:
    yield (
        b"Path : /\nSize: 70  On-disk size: 70  directory\nNID: 36   Links: 3   Layout: 2\n\n"
        b"       NID TYPE  FILENAME\n        36    2  .\n        36    2  ..\n        40    2  a\n"
        b"        46    1  f\n        49    7  l"
    )
    yield b"Path : /a/file\nSize: 3  On-disk size: 3  regular file"


@target(_erofs_lines, words=("NID TYPE  FILENAME", "    1  ", "regular file"), runs=1000, longest=1024)
def erofs_listing(data: bytes, folder: Path) -> None:
    """What dump.erofs lists, with names of an image's choice."""
    _listed(_ErofsListing, data, folder)


@cache
def _readers() -> dict[FsType, Path]:
    """The programs that are here and new enough."""
    found = {}
    for fstype in FsType:
        try:
            found[fstype] = require_reader(fstype)
        except BootimgError as error:
            if error.id not in ("program-missing", "live-reader-too-old"):
                raise
    return found


def _file_systems() -> Iterator[bytes]:
    makers = {FsType.SQUASHFS: ["mksquashfs", "tree", "image", "-quiet", "-no-progress"],
              FsType.EROFS: ["mkfs.erofs", "image", "tree"]}  # fmt: skip
    for fstype in _readers():
        with TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "tree/a").mkdir(parents=True)
            (folder / "tree/a/file").write_bytes(b"text " * 100)
            subprocess.run(makers[fstype], cwd=folder, check=True, capture_output=True)
            yield (folder / "image").read_bytes()


@target(_file_systems, words=("hsqs", "\xe2\xe1\xf5\xe0"), runs=50, longest=8192)
def live_files(data: bytes, folder: Path) -> None:
    """A file system that is damaged: the programs end, and leave nothing behind."""
    (folder / "scratch").mkdir(exist_ok=True)
    image = folder / "image"
    image.write_bytes(data)
    for fstype, program in _readers().items():
        kind = SquashfsTree if fstype is FsType.SQUASHFS else ErofsTree
        tree = kind(image, 0, program, folder / "scratch", Budget())
        with refusals():
            content = tree.content("/a/file")
            assert content is None or len(content) <= 1 << 20
    assert not [*(folder / "scratch").iterdir()]
