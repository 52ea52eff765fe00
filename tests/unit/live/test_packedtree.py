"""Files of a squashfs or an erofs inside another file, read by their programs; what is hostile is refused."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from bootimg.disk.unmounted import Unmounted
from bootimg.errors import BootimgError
from bootimg.live.fsoptions import FsType
from bootimg.live.reading.erofstree import ErofsTree
from bootimg.live.reading.packedtree import PackedTree
from bootimg.live.reading.readers import READERS, require_reader
from bootimg.live.reading.squashfstree import SquashfsTree
from bootimg.untrusted.budget import Budget
from bootimg.untrusted.limits import DEFAULT, Limits
from tests.support.live.livesystem import squashfs_of
from tests.unit.live.test_rootfs import program

OFFSET = 3 * 4096 + 124
TREES = {FsType.SQUASHFS: SquashfsTree, FsType.EROFS: ErofsTree}
Make = Callable[..., PackedTree]


def erofs_of(tree: Path, image: Path) -> bytes:
    subprocess.run(["mkfs.erofs", "--quiet", image, tree], check=True, capture_output=True)
    return image.read_bytes()


@pytest.fixture(params=FsType)
def packed(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """Makes a file system of a folder, in the middle of a file, ready to be read."""
    fstype = FsType(request.param)
    try:
        reader = require_reader(fstype)
    except BootimgError as error:
        pytest.skip(str(error))

    def make(tree: Path, limits: Limits = DEFAULT) -> PackedTree:
        data = (squashfs_of if fstype is FsType.SQUASHFS else erofs_of)(tree, tmp_path / "image")
        path = tmp_path / "-file with a name.iso"
        path.write_bytes(bytes(OFFSET) + data + bytes(4096))
        (tmp_path / "scratch").mkdir()
        return TREES[fstype](path, OFFSET, reader, tmp_path / "scratch", Budget(limits))

    return make


def tree_of(folder: Path, files: dict[str, bytes]) -> Path:
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder


def test_files_are_listed_and_read(packed: Make, tmp_path: Path) -> None:
    tree = tree_of(tmp_path / "tree", {"a/b/c": b"content", "a/empty": b"", "a/-x": b"", "a/b c -> d": b"1"})
    (tree / "a/link").symlink_to("b -> c")
    os.mkfifo(tree / "a/pipe")
    root: Unmounted = packed(tree)
    assert root.listing("/") == {"a": "directory"}
    assert root.listing("/a") == {"b": "directory", "empty": "regular", "-x": "regular",
                                  "b c -> d": "regular", "link": "symlink", "pipe": "other"}  # fmt: skip
    assert root.listing("/a/b") == {"c": "regular"}
    assert (root.content("/a/b/c"), root.content("/a/empty")) == (b"content", b"")
    assert root.copy("/a/b/c", tmp_path / "copy", 7)
    assert (tmp_path / "copy").read_bytes() == b"content"
    assert [*(tmp_path / "scratch").iterdir()] == []


def test_what_is_not_there_is_not_read(packed: Make, tmp_path: Path) -> None:
    tree = tree_of(tmp_path / "tree", {"a/file": b"content"})
    (tree / "link").symlink_to("a")
    (tree / "out").symlink_to("/etc/passwd")
    root = packed(tree)
    for folder in ("/none", "/link", "/a/file", "/a/none/more"):
        assert root.listing(folder) == {}
    for path in ("/none", "/link/file", "/a", "/out", "/a/file/x"):
        assert root.content(path) is None
        assert not root.copy(path, tmp_path / "copy", 1000)
    assert not (tmp_path / "copy").exists()


def test_a_file_that_is_too_large_is_refused(packed: Make, tmp_path: Path) -> None:
    root = packed(tree_of(tmp_path / "tree", {"large": bytes((1 << 20) + 1)}))
    with pytest.raises(BootimgError, match="live-rootfs-unreadable"):
        root.content("/large")
    with pytest.raises(BootimgError, match="live-rootfs-unreadable"):
        root.copy("/large", tmp_path / "copy", 1 << 20)
    assert root.copy("/large", tmp_path / "copy", (1 << 20) + 1)


def test_a_name_of_two_lines_is_refused(packed: Make, tmp_path: Path) -> None:
    """Its second line could look like another file."""
    root = packed(tree_of(tmp_path / "tree", {"bin/two\nlines": b""}))
    assert root.listing("/") == {"bin": "directory"}
    with pytest.raises(BootimgError, match="live-rootfs-unreadable"):
        root.listing("/bin")


def test_damaged_metadata_is_refused(packed: Make, tmp_path: Path) -> None:
    root = packed(tree_of(tmp_path / "tree", {f"a/{number}": b"x" * 5000 for number in range(50)}))
    data = bytearray(root.path.read_bytes())
    data[OFFSET + 100 : OFFSET + 1024] = b"\xff" * 924
    data[OFFSET + 1152 :] = b"\xa5" * (len(data) - OFFSET - 1152)
    root.path.write_bytes(data)
    with pytest.raises(BootimgError, match="live-rootfs-unreadable"):
        root.content("/a/7")


@pytest.mark.parametrize("limits", [Limits(names=20), Limits(metadata=200)], ids=["names", "metadata"])
def test_what_is_listed_is_charged_to_the_budget(packed: Make, limits: Limits, tmp_path: Path) -> None:
    root = packed(tree_of(tmp_path / "tree", {f"a/{number}": b"" for number in range(50)}), limits)
    with pytest.raises(BootimgError, match="image-over-budget"):
        root.listing("/a")


@pytest.mark.parametrize("fstype", FsType)
def test_a_reader_that_is_too_old_is_refused(
    fstype: FsType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "bin", READERS[fstype].name, "echo version 1.5", monkeypatch)
    with pytest.raises(BootimgError, match="live-reader-too-old") as caught:
        require_reader(fstype)
    assert caught.value.exit_code == 3
