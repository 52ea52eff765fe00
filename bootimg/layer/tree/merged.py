"""The image's merged tree, read straight from the layers' tars."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence

from bootimg.cache import Cache
from bootimg.errors import BootimgError
from bootimg.events import Events
from bootimg.layer.image.encapsulation import encapsulation
from bootimg.layer.image.fetched import Image
from bootimg.layer.ostree.encapsulatedimage import OstreeImage, chunks, open_ostree
from bootimg.layer.ostree.flatten import container_view
from bootimg.layer.tar.entry import Entry, Kind
from bootimg.layer.tar.merge import Merged, resolve, walk
from bootimg.layer.tar.opened import LayerTar, check_count, is_open, open_layer

_MAX_READ = 64 << 20
"""The largest file that `read` returns, in bytes; read larger ones with `chunks`."""


class Tree:
    """The merged files of an image.

    `entries` has every path but the root's, without leading slash; `root` is the root directory.
    `layers` are the tars, bottom first; an entry's `layer` and `offset` say where its content is.
    `ostree` is set for an encapsulated image.  The tree is then its merge commit's as a running system
    sees it: /usr/etc appears as /etc.
    """

    def __init__(self, layers: Sequence[LayerTar], ostree: OstreeImage | None = None) -> None:
        merged = Merged()
        if ostree:
            merged.lay(container_view(ostree.merged).values())
        else:
            for layer in layers:
                merged.apply(layer.entries)
        self.layers = tuple(layers)
        self.ostree = ostree
        self.root = merged.entries.pop("")
        self.entries: Mapping[str, Entry] = merged.entries
        self._by_path = {**merged.entries, "": self.root}
        self._children = merged.children

    @property
    def digest(self) -> str:
        """What identifies the tree: sha256 (hexadecimal) over the diff ids of its layers."""
        return hashlib.sha256("\n".join(layer.diff_id for layer in self.layers).encode()).hexdigest()

    @property
    def size(self) -> int:
        """Bytes of all regular files, files linked to each other counted once."""
        return sum({entry.link_key: entry.size for entry in self.entries.values()}.values())

    def resolve(self, path: str) -> str | None:
        """The path that `path` leads to inside the tree, or None if nothing is there."""
        return resolve(self._by_path, path)

    def exists(self, path: str) -> bool:
        """Whether the path exists; symlinks are followed inside the tree."""
        return self.resolve(path) is not None

    def listdir(self, path: str) -> list[str]:
        """The sorted names in a directory; empty if the path is not a directory."""
        found = self.resolve(path)
        return sorted(self._children.get(found, ())) if found is not None else []

    def walk(self, path: str = "") -> Iterator[Entry]:
        """Every entry below a directory, each directory before its content."""
        for inner in walk(self._children, path):
            yield self.entries[inner]

    def read(self, path: str) -> bytes:
        """The content of a file of at most 64 MiB; symlinks are followed inside the tree."""
        found = self.resolve(path)
        entry = self._by_path[found] if found is not None else None
        if entry is None or entry.kind is not Kind.FILE:
            raise BootimgError(
                "layer-file-missing",
                f"the image has no file /{path.lstrip('/')[:200]}",
                hint="add the file where the layer is made",
            )
        if entry.size > _MAX_READ:
            raise BootimgError(
                "layer-file-too-large",
                f"/{entry.path[:200]} has {entry.size} bytes and is too large to be read",
                hint="check how the layer is made: this file should be small",
            )
        return b"".join(self.chunks(entry))

    def chunks(self, entry: Entry) -> Iterator[bytes]:
        """The content of a file, a piece at a time."""
        yield from chunks(self.layers, entry)


def open_tree(image: Image, cache: Cache, events: Events) -> Tree:
    """Decompress and list the layers that the cache lacks, and merge all layers."""
    layers = []
    with events.step("layers", "Reading the layers", total=image.size) as step:
        cached, count = is_open_tree(image, cache), 0
        for number, blob in enumerate(image.layers):
            layers.append(open_layer(blob, number, cache, step))
            count += len(layers[-1].entries)
            check_count(count)
        found = encapsulation(image)
        tree = Tree(layers, open_ostree(found, layers, cache) if found else None)
        step.result(f"{len(tree.entries)} files in {len(layers)} layers", cached=cached)
    return tree


def is_open_tree(image: Image, cache: Cache) -> bool:
    """Whether the cache has every layer decompressed and listed."""
    return all(is_open(blob, cache) for blob in image.layers)
