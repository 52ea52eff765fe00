"""The tree of an ostree commit whose objects are in the layers of an image, as a checkout would make it."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from bootimg.errors import BootimgError
from bootimg.layer.image.encapsulation import invalid
from bootimg.layer.ostree.containertree import OstreeTree
from bootimg.layer.ostree.layerobjects import LayerObjects
from bootimg.layer.ostree.objects import checked_directory_metadata, checked_directory_tree, parse_commit
from bootimg.layer.tar.entry import Entry, Kind, check_length
from bootimg.layer.tar.paths import join
from bootimg.untrusted.budget import Budget

_T = TypeVar("_T")
_Meta = tuple[int, int, int, tuple[tuple[str, bytes], ...]]
_Tree = tuple[list[tuple[str, str]], list[tuple[str, str, str]]]


def commit_tree(objects: Sequence[LayerObjects], budget: Budget) -> OstreeTree:
    """The tree of the first layer's commit; `layer-object-missing` if the layers lack one of its objects."""
    walker = _Walker(objects, budget)
    commit = f"{objects[0].commit}.commit"
    root, meta = _parsed(parse_commit, walker.metadata[commit], commit)
    walker.directory("", root, meta)
    return OstreeTree(walker.entries, {})


class _Walker:
    """Walks a commit from its root.  An object is parsed once, however often the commit uses it."""

    def __init__(self, objects: Sequence[LayerObjects], budget: Budget) -> None:
        self._budget = budget
        self._trees: dict[str, _Tree] = {}
        self._metas: dict[str, _Meta] = {}
        self.metadata: Mapping[str, bytes] = objects[0].metadata
        self._content = {name: entry for layer in objects for name, entry in layer.content.items()}
        self.entries: dict[str, Entry] = {}

    def directory(self, path: str, tree: str, meta: str) -> None:
        """Add a directory and its content."""
        own, contents = f"{meta}.dirmeta", f"{tree}.dirtree"
        if own not in self._metas:
            self._metas[own] = _parsed(checked_directory_metadata, self._need(own, path), own)
        again = contents in self._trees
        self._add(_directory(path, self._metas[own]), again=again)
        if not again:
            self._trees[contents] = _parsed(checked_directory_tree, self._need(contents, path), contents)
        files, folders = self._trees[contents]
        for name, checksum in files:
            inner = join(path, name)
            if checksum not in self._content:
                raise missing(f"{checksum}.file", inner)
            self._add(replace(self._content[checksum], path=inner), again=again)
        for name, subtree, submeta in folders:
            self.directory(join(path, name), subtree, submeta)

    def _need(self, name: str, path: str) -> bytes:
        if name not in self.metadata:
            raise missing(name, path)
        return self.metadata[name]

    def _add(self, entry: Entry, *, again: bool) -> None:
        check_length(entry.path)
        # A few small dirtrees that refer to each other can expand to any number of paths.
        charge = self._budget.unfold if again else self._budget.name
        charge(entry.text, entry.path)
        self.entries[entry.path] = entry


def _directory(path: str, meta: _Meta) -> Entry:
    uid, gid, mode, xattrs = meta
    return Entry(path, Kind.DIRECTORY, mode & 0o7777, uid, gid, xattrs=xattrs)


def _parsed(parse: Callable[[bytes], _T], data: bytes, name: str) -> _T:
    try:
        return parse(data)
    except (ValueError, IndexError, struct.error) as error:
        raise invalid(f"the object {name} is malformed ({error})") from None


def missing(name: str, path: str) -> BootimgError:
    """The error for a commit that is not complete."""
    return BootimgError(
        "layer-object-missing",
        f"the image's commit needs the object {name}, which none of its layers has",
        context=[f"the object belongs to /{path[:200]}"],
        hint="the image was cut short or made with another tool; a commit must have an empty /sysroot",
    )
