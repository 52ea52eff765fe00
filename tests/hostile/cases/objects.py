"""Encapsulated images whose few objects unfold to many."""

from __future__ import annotations

from pathlib import Path

from bootimg.layer.ostree.objects import directory_metadata, directory_tree
from tests.hostile.case import case
from tests.hostile.making import header, tar
from tests.hostile.reading import image as read
from tests.support.layers import oci
from tests.support.layers.encapsulated import SYSTEM, Commit

OVER = "image-over-budget"


def _image(folder: Path, commit: Commit, *derived: bytes) -> None:
    tars = [oci.tar(*members) for members in commit.layers()]
    oci.Layout(folder / "image").add([*tars, *derived], labels=commit.labels([*tars, *derived], len(tars)))


@case(read, f"{OVER}/metadata")
def nested_dirtrees(folder: Path) -> None:
    """20 directory objects, each twice in the next: a million directories"""
    commit = Commit(SYSTEM)
    meta = commit.keep("dirmeta", directory_metadata(0, 0, 0o755, ()))
    tree = commit.keep("dirtree", directory_tree([], []))
    for _ in range(20):
        tree = commit.keep("dirtree", directory_tree([], [("a", tree, meta), ("b", tree, meta)]))
    _image(folder, commit.rooted(tree, meta))


@case(read, f"{OVER}/metadata", quick=True)
def shared_directory_metadata(folder: Path) -> None:
    """2000 directories that share 9 MB of attributes"""
    commit = Commit(SYSTEM)
    attributes = [(f"user.{each:04}", b"v" * 9000) for each in range(1000)]
    meta = commit.keep("dirmeta", directory_metadata(0, 0, 0o755, attributes))
    empty = commit.keep("dirtree", directory_tree([], []))
    tree = commit.keep("dirtree", directory_tree([], [(f"{each:04}", empty, meta) for each in range(2000)]))
    _image(folder, commit.rooted(tree, meta))


@case(read, f"{OVER}/metadata")
def derived_directories(folder: Path) -> None:
    """a derived layer with a path of 255 new directories, 4 KB long, a thousand times"""
    names = "/".join(["d" * 15] * 253)
    _image(folder, Commit(SYSTEM), tar(header(f"usr/{each:03}/{names}") for each in range(1000)))
