"""The form `chunked`: many plain layers, one for each package of some size, and nothing of ostree's."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from tests.layer import contract
from tests.layer.chunks import UNPACKAGED, chunks
from tests.layer.content import Content
from tests.layer.oci import Compression, write_archive, write_layer
from tests.layer.packing import CREATED
from tests.layer.recipe import Request
from tests.layer.tree import Change, Tree, parents


def pack(request: Request, content: Content, blobs: Path, output: Path) -> None:
    """Write the archive; the labels lack ostree's."""
    labels = contract.without_ostree(content.labels(request))
    layers = [
        write_layer(Change(part), Compression.GZIP, blobs, name)
        for name, part in split(content.complete(request), content)
    ]
    write_archive(layers, labels, CREATED, blobs, output)


def split(tree: Tree, content: Content) -> list[tuple[str, Tree]]:
    """The layers, by name; directories of no package are in the last, with what no package brought."""
    owned: dict[str, list[str]] = defaultdict(list)
    for path, name in chunks(tree, content.recipe).items():
        owned[name].append(path)
    order = sorted(owned, key=lambda name: (name == UNPACKAGED, name))
    parts = [(name, _with_parents(tree, owned[name])) for name in order]
    seen = {path for _, part in parts for path in part}
    last = parts[-1][1] | {path: node for path, node in tree.items() if path not in seen}
    return [*parts[:-1], (order[-1], last)]


def _with_parents(tree: Tree, paths: list[str]) -> Tree:
    chosen = {*paths, *(parent for path in paths for parent in parents(path))}
    return {path: tree[path] for path in sorted(chosen)}
