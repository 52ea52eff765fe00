"""Derived layers laid over the base's tree, as libostree flattens commits with OCI whiteouts.

The rules are those of its checkout in the mode "union files, process whiteouts":

- a directory that already exists keeps its owner, mode and xattrs, even if a layer has others for it;
- a whiteout also hides files of its own layer that come before it in the order of names;
- files are written before directories, and each replaces whatever is at its path.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from bootimg.layer.ostree.containertree import OstreeTree
from bootimg.layer.tar.entry import Entry, Kind, unsafe_path
from bootimg.layer.tar.merge import OPAQUE, WHITEOUT
from bootimg.layer.tar.paths import join

_INJECTED = ("usr/etc/hostname", "usr/etc/resolv.conf")


def flatten(base: OstreeTree, layers: Sequence[OstreeTree]) -> OstreeTree:
    """The tree of the merge commit.

    Container tools leave empty files at two paths that they mount over.  Newer versions of
    ostree-rs-ext drop them, and so does this function.
    """
    if not layers:
        return base
    checkout = _Checkout(base.entries)
    for layer in layers:
        checkout.lay(layer.entries)
    for path in _INJECTED:
        entry = checkout.entries.get(path)
        if entry and entry.kind is Kind.FILE and not entry.size:
            checkout.remove(path)
    return OstreeTree(checkout.entries, {})


def children_of(entries: Mapping[str, Entry]) -> dict[str, dict[str, None]]:
    """The names in each directory."""
    found: dict[str, dict[str, None]] = {
        path: {} for path, entry in entries.items() if entry.kind is Kind.DIRECTORY
    }
    for path, entry in entries.items():
        if path:
            found[entry.parent][entry.name] = None
    return found


class _Checkout:
    """A tree into which commits are checked out."""

    def __init__(self, entries: Mapping[str, Entry]) -> None:
        self.entries = dict(entries)
        self._children = children_of(entries)

    def lay(self, layer: Mapping[str, Entry]) -> None:
        self._directory("", layer, children_of(layer))

    def remove(self, path: str) -> None:
        """Remove the path and all below it, if it exists."""
        if path not in self.entries:
            return
        for name in tuple(self._children.get(path, ())):
            self.remove(join(path, name))
        self._children.pop(path, None)
        entry = self.entries.pop(path)
        if path:
            self._children[entry.parent].pop(entry.name)

    def _set(self, entry: Entry) -> None:
        self.remove(entry.path)
        self.entries[entry.path] = entry
        if entry.path:
            self._children[entry.parent][entry.name] = None
        if entry.kind is Kind.DIRECTORY:
            self._children[entry.path] = {}

    def _directory(
        self, path: str, layer: Mapping[str, Entry], children: Mapping[str, Mapping[str, None]]
    ) -> None:
        inner = [layer[join(path, name)] for name in sorted(children[path])]
        old = self.entries.get(path)
        opaque = any(entry.name == OPAQUE and entry.kind is not Kind.DIRECTORY for entry in inner)
        if old is None or old.kind is not Kind.DIRECTORY or opaque:
            self._set(layer[path])
        for entry in inner:
            if entry.kind is not Kind.DIRECTORY:
                self._file(entry)
        for entry in inner:
            if entry.kind is Kind.DIRECTORY:
                self._directory(entry.path, layer, children)

    def _file(self, entry: Entry) -> None:
        # For libostree a symlink is never a whiteout.
        if entry.kind is Kind.SYMLINK or not entry.name.startswith(WHITEOUT):
            self._set(entry)
            return
        name = entry.name.removeprefix(WHITEOUT)
        if not name or name in (".", ".."):
            raise unsafe_path(entry.path, "is a whiteout of nothing")
        self.remove(join(entry.parent, name))


def container_view(tree: OstreeTree) -> Mapping[str, Entry]:
    """The tree as containers and running systems see it: /usr/etc appears as /etc."""
    found = {}
    for path, entry in tree.entries.items():
        inside = path == "usr/etc" or path.startswith("usr/etc/")
        seen = path.removeprefix("usr/") if inside else path
        found[seen] = replace(entry, path=seen) if inside else entry
    return found
