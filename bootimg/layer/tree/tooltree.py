"""The merged tree as a read-only file system image, which the appliance uses as its `/`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from bootimg.layer.tar.entry import Entry, Kind
from bootimg.layer.tar.squashfs import write_squashfs
from bootimg.layer.tar.tarwriter import member
from bootimg.layer.tree.merged import Tree
from bootimg.tarstream import END, padding

_MOUNT_POINTS = ("dev", "proc", "run", "sys", "tmp", "var")
"""In a commit some are symlinks to folders that exist on a booted system but not in the appliance."""


def write_tool_tree(tree: Tree, output: Path) -> None:
    """Write a squashfs image of the whole tree, with the owners, modes and xattrs of the layers.

    Nothing is unpacked: the tar is made while it is read.
    """
    write_squashfs(tar_stream(tree), output)


def tar_stream(tree: Tree) -> Iterator[bytes]:
    """The merged tree as a tar, directories first, each link after the file it names."""
    yield member(replace(tree.root, path="."))
    first: dict[tuple[int, int], str] = {}
    for entry in tree.walk():
        if entry.path in _MOUNT_POINTS and entry.kind is not Kind.DIRECTORY:
            yield member(Entry(entry.path, Kind.DIRECTORY, 0o755, 0, 0))
            continue
        # Only files become hard links: in an encapsulated image all symlinks with one target share an object.
        linked = entry.kind is Kind.FILE and first.setdefault(entry.link_key, entry.path)
        if linked and linked != entry.path:
            yield member(_link(entry, linked))
            continue
        yield member(entry)
        if entry.size:
            yield from tree.chunks(entry)
            yield padding(entry.size)
    yield END


def _link(entry: Entry, target: str) -> Entry:
    return replace(entry, kind=Kind.HARDLINK, target=target, size=0, xattrs=())
