"""The reader of XFS: names and content are those that the file system was filled with."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path

import pytest

from bootimg.disk.bootpatch import Patch
from bootimg.disk.composite import Composite
from bootimg.disk.extents import FileSource, Source
from bootimg.disk.filetree import Kind, Node
from bootimg.disk.xfs import fill_xfs
from bootimg.disk.xfs.extents import root_room
from bootimg.disk.xfs.inode import Format
from bootimg.disk.xfs.layout import BLOCK
from bootimg.disk.xfs.read.extents import written_extents
from bootimg.disk.xfs.read.folders import find_folder, names
from bootimg.disk.xfs.read.inodes import Inode, read_inode
from bootimg.disk.xfs.read.volume import XfsVolume, open_xfs
from bootimg.errors import BootimgError
from tests.support.xfs import xfstrees
from tests.support.xfs.xfsimages import NOW, SMALL, empty_image

TREES = {
    "directories": lambda: xfstrees.directories((1, 30)),
    "extents": lambda: xfstrees.extents((1, 15, 30, 600)),
    "one name, many hashes": xfstrees.collisions,
    "shared extents": xfstrees.shared,
    "odd names": xfstrees.odd_names,
}


def filled(path: Path, nodes: Iterable[Node], sector: int = 512) -> Path:
    image = empty_image(path, sector=sector)
    fill_xfs(image, nodes, now=NOW)
    return image


def content(volume: XfsVolume, inode: Inode) -> bytes:
    data = bytearray(-(-inode.size // BLOCK) * BLOCK)
    for extent in written_extents(volume, inode):
        at, length = extent.offset * BLOCK, extent.length * BLOCK
        data[at : at + length] = volume.read(volume.address(extent.start), length)
    return bytes(data[: inode.size])


def walk(volume: XfsVolume, path: bytes, inode: Inode, found: dict[bytes, Inode]) -> None:
    found[path] = inode
    if inode.is_folder:
        for name, number in names(volume, inode).items():
            walk(volume, path + b"/" + name if path else name, read_inode(volume, number), found)


@pytest.mark.parametrize("sector", [512, 4096])
@pytest.mark.parametrize("tree", TREES)
def test_it_reads_what_was_written(tree: str, sector: int, tmp_path: Path) -> None:
    nodes = list(TREES[tree]())
    with FileSource(filled(tmp_path / "xfs", nodes, sector)) as source:
        volume = open_xfs(source, 0, SMALL)
        found: dict[bytes, Inode] = {}
        walk(volume, b"", read_inode(volume, volume.root), found)
        assert found.keys() == {node.path for node in nodes}
        for node in nodes:
            if node.kind is Kind.FILE and isinstance(node.content, bytes):
                assert found[node.path].is_file
                assert content(volume, found[node.path]) == node.content


def test_a_path_leads_to_its_folder(tmp_path: Path) -> None:
    nodes = [xfstrees.ROOT, *(xfstrees.folder(path) for path in (b"a", b"a/b"))]
    with FileSource(
        filled(tmp_path / "xfs", [*nodes, xfstrees.file(b"a/b/c"), xfstrees.file(b"f")])
    ) as source:
        volume = open_xfs(source, 0, SMALL)
        assert names(volume, find_folder(volume, b"a/b")).keys() == {b"c"}
        for path, words in ((b"a/x", "it has no /a/x"), (b"f/x", "is no directory")):
            with pytest.raises(BootimgError, match=words) as caught:
                find_folder(volume, path)
            assert caught.value.id == "root-filesystem-unreadable"


def patched(source: Source, offset: int, data: bytes) -> Composite:
    return Composite(source, Patch(((offset, data),)))


@pytest.mark.parametrize(
    ("offset", "data", "words"),
    [
        (0, b"EXT4", "it is no XFS"),
        (100, struct.pack(">H", 4), "version 4"),
        (216, struct.pack(">I", 0x1003), "feature bits 0x1003"),
        (8, struct.pack(">Q", 1 << 40), "blocks"),
        (84, struct.pack(">I", 0), "allocation groups"),
        (56, struct.pack(">Q", 1 << 60), "is in no allocation group"),
    ],
)
def test_a_superblock_that_cannot_be_is_refused(offset: int, data: bytes, words: str, tmp_path: Path) -> None:
    with (
        FileSource(empty_image(tmp_path / "xfs")) as source,
        pytest.raises(BootimgError, match=words) as caught,
    ):
        volume = open_xfs(patched(source, offset, data), 0, SMALL)
        read_inode(volume, volume.root)
    assert caught.value.id == "root-filesystem-unreadable"


@pytest.mark.parametrize(
    ("offset", "data", "words"),
    [
        (0, b"XX", "is damaged"),
        (5, b"\x09", "is damaged"),
        (82, b"\xff", "is damaged"),
        (76, struct.pack(">I", 99), "has 99 extents"),
        (176, (1 << 40 << 21 | 1).to_bytes(16, "big"), "in no allocation group"),
        (176, bytes(16), "out of order"),
    ],
)
def test_an_inode_that_cannot_be_is_refused(offset: int, data: bytes, words: str, tmp_path: Path) -> None:
    nodes = [xfstrees.ROOT, xfstrees.file(b"f", b"content")]
    with FileSource(filled(tmp_path / "xfs", nodes)) as source:
        volume = open_xfs(source, 0, SMALL)
        number = names(volume, find_folder_root(volume))[b"f"]
        broken = open_xfs(patched(source, volume.inode_address(number) + offset, data), 0, SMALL)
        with pytest.raises(BootimgError, match=words) as caught:
            list(written_extents(broken, read_inode(broken, number)))
    assert caught.value.id == "root-filesystem-unreadable"


def test_a_tree_of_extents_with_an_empty_block_is_refused(tmp_path: Path) -> None:
    """Blocks without records could lead to each other for hours."""
    with FileSource(filled(tmp_path / "xfs", [xfstrees.ROOT, xfstrees.sparse(b"f", 600)])) as source:
        volume = open_xfs(source, 0, SMALL)
        inode = read_inode(volume, names(volume, find_folder_root(volume))[b"f"])
        assert inode.format == Format.TREE
        (pointer,) = struct.unpack_from(">Q", inode.fork, 4 + 8 * root_room(len(inode.fork)))
        broken = open_xfs(patched(source, volume.extent_address(pointer, 1) + 6, bytes(2)), 0, SMALL)
        with pytest.raises(BootimgError, match="is damaged") as caught:
            list(written_extents(broken, inode))
    assert caught.value.id == "root-filesystem-unreadable"


def find_folder_root(volume: XfsVolume) -> Inode:
    return read_inode(volume, volume.root)
