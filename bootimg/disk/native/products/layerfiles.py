"""Digests of files of the layer: what a key of the cache is made of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator

from bootimg.layer.tar.entry import Entry, Kind
from bootimg.layer.tree.merged import Tree


def key_of(inputs: object) -> str:
    """The digest (hexadecimal) of a value that JSON can write."""
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


def describe(tree: Tree, paths: Iterable[str]) -> dict[str, list[object]]:
    """Files, and all that is below directories, by path: kind, mode, symlink's target, content's digest.

    The digest of a symlink is that of the file it leads to.  Paths that do not exist are left out.
    """
    found: dict[str, list[object]] = {}
    for path in paths:
        resolved = tree.resolve(path)
        if resolved is None:
            continue
        found[path] = ["leads to", resolved]
        for entry in (tree.entries[resolved], *_below(tree, resolved)):
            found[entry.path] = [entry.kind, entry.mode, entry.target, _digest(tree, entry)]
    return found


def _below(tree: Tree, path: str) -> Iterator[Entry]:
    if tree.entries[path].kind is Kind.DIRECTORY:
        yield from tree.walk(path)


def _digest(tree: Tree, entry: Entry) -> str:
    resolved = tree.resolve(entry.path)
    target = tree.entries[resolved] if resolved else None
    if target is None or target.kind is not Kind.FILE:
        return ""
    digest = hashlib.sha256()
    for chunk in tree.chunks(target):
        digest.update(chunk)
    return digest.hexdigest()
