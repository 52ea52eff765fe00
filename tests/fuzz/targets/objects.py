"""The ostree objects in an encapsulated image: commit, directories, xattrs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from bootimg.layer.ostree.committree import commit_tree
from bootimg.layer.ostree.layerobjects import LayerObjects, read_objects
from bootimg.layer.ostree.objects import directory_metadata, directory_tree, xattrs_variant
from bootimg.layer.tar.entry import Entry, Kind
from bootimg.layer.tar.opened import LayerTar
from bootimg.untrusted.budget import Budget
from tests.fuzz.target import refusals, target
from tests.support.layers.encapsulated import OBJECTS, XATTRS, commit_object

FILE = "ab" * 32
TREE = directory_tree([("a", FILE), ("b", FILE)], [])
META = directory_metadata(0, 0, 0o755, XATTRS)
ROOT = "00" * 32


def _sum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _objects(commit: bytes, tree: bytes, meta: bytes) -> LayerObjects:
    """A commit of a root directory with one folder in it, `tree`."""
    names = {"commit": ROOT, "tree": _sum(b"tree"), "meta": _sum(b"meta"), "root": _sum(b"root")}
    root = directory_tree([], [("folder", names["tree"], names["meta"])])
    return LayerObjects(
        content={FILE: Entry("", Kind.FILE, 0o644, 0, 0)},
        metadata={
            f"{names['commit']}.commit": commit or commit_object(names["root"], names["meta"]),
            f"{names['root']}.dirtree": root,
            f"{names['tree']}.dirtree": tree,
            f"{names['meta']}.dirmeta": meta,
        },
        commit=ROOT,
    )


def _pieces(data: bytes) -> Iterator[LayerObjects]:
    yield _objects(data, TREE, META)
    yield _objects(b"", data, META)
    yield _objects(b"", TREE, data)


@target(lambda: [TREE, META, commit_object(_sum(b"root"), _sum(b"meta")), xattrs_variant(XATTRS)], runs=2000)
def ostree_objects(data: bytes, folder: Path) -> None:
    """One of the three kinds of metadata objects, and the xattrs of a file."""
    for each in _pieces(data):
        with refusals():
            commit_tree([each], Budget())
    with refusals():
        _with_xattrs(data)


def _with_xattrs(data: bytes) -> None:
    commit = commit_object(_sum(b"root"), _sum(b"meta"))
    entries = (
        Entry(_path(_sum(commit), "commit"), Kind.FILE, 0o644, 0, 0),
        Entry(_path(FILE, "file-xattrs-link"), Kind.FILE, 0o644, 0, 0, size=len(data)),
        Entry(_path(FILE, "file"), Kind.FILE, 0o644, 0, 0),
    )
    layer = LayerTar("x", Path("layer.tar"), entries)
    read_objects(layer, lambda entry: commit if entry is entries[0] else data, Budget(), first=True)


def _path(checksum: str, kind: str) -> str:
    return f"{OBJECTS}/{checksum[:2]}/{checksum[2:]}.{kind}"
