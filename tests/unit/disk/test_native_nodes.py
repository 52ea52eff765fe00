"""Entries of the deployed system as nodes for the XFS writer."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from bootimg.disk.filetree import HostRange, Kind, Node
from bootimg.disk.native.nodes import nodes
from bootimg.disk.xfs.check import check_xfs
from bootimg.disk.xfs.fill import fill_xfs
from bootimg.disk.xfs.make import XfsOptions, make_xfs
from bootimg.sysroot.entries import Entry, HostFile, directory, symlink, text
from bootimg.sysroot.entries import Kind as EntryKind

NOW = 1_700_000_000 * 10**9


def test_every_field_is_kept() -> None:
    entry = Entry(
        path=b"a", kind=EntryKind.FILE, mode=0o4755, uid=1, gid=2, mtime=3, xattrs=((b"user.x", b"y"),),
        size=4, content=HostFile("/f", 5), reflink=b"b", immutable=True,
    )  # fmt: skip
    assert list(nodes([entry])) == [
        Node(
            path=b"a", kind=Kind.FILE, mode=0o4755, uid=1, gid=2, mtime=3, xattrs=((b"user.x", b"y"),),
            size=4, content=HostRange("/f", 5), reflink=b"b", immutable=True,
        )
    ]  # fmt: skip


def test_the_second_name_of_a_link_is_a_hard_link_to_the_first() -> None:
    first = replace(text("one", b"x", NOW), link="l")
    other = replace(symlink("three", "t", NOW), link="m")
    found = list(nodes([first, replace(first, path=b"two"), other, replace(other, path=b"four")]))
    assert [each.kind for each in found] == [Kind.FILE, Kind.HARD_LINK, Kind.SYMLINK, Kind.HARD_LINK]
    assert [each.target for each in found] == [b"", b"one", b"t", b"three"]


def test_a_whiteout_is_a_device_of_number_zero() -> None:
    (found,) = nodes([Entry(path=b"w", kind=EntryKind.WHITEOUT, mode=0o600)])
    assert (found.kind, found.device) == (Kind.CHARACTER_DEVICE, (0, 0))


@pytest.mark.skipif(not shutil.which("xfs_repair"), reason="xfsprogs is not installed")
def test_xfs_takes_the_nodes(tmp_path: Path) -> None:
    image, size = tmp_path / "image", 400 << 20
    with image.open("wb") as file:
        file.truncate(size)
    make_xfs(image, size=size, options=XfsOptions(uuid="910678ff-f77e-4a7d-8d53-86f2ac47a823"))
    shared = replace(text("object", b"x" * 5000, NOW), link="object")
    tree = [
        directory("", 0o755, NOW),
        shared,
        replace(shared, path=b"link"),
        replace(text("copy", b"x" * 5000, NOW), reflink=b"object"),
        Entry(path=b"gone", kind=EntryKind.WHITEOUT, mode=0o600),
        symlink("there", "object", NOW),
    ]
    filled = fill_xfs(image, nodes(tree), now=NOW)
    check_xfs(image, size=size)
    # The root, the object, its copy, the whiteout and the symlink.
    assert filled.inodes == 5
