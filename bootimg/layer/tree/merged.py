"""The image's merged tree, read straight from the layers' tars."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence

from bootimg.cache import Cache
from bootimg.errors import BootimgError
from bootimg.events import Events
from bootimg.layer.image.encapsulation import encapsulation
from bootimg.layer.image.fetched import Image, pack
from bootimg.layer.ostree.encapsulatedimage import OstreeImage, chunks, open_ostree
from bootimg.layer.ostree.flatten import container_view
from bootimg.layer.tar.entry import Entry, Kind
from bootimg.layer.tar.merge import Merged
from bootimg.layer.tar.opened import LayerTar, is_open, open_layer
from bootimg.layer.tar.paths import resolve, walk
from bootimg.untrusted.budget import Budget
from bootimg.untrusted.files import TEXT_LIMIT

_READ_STEPS = 50
"""What opening a file costs, in steps of a look-up."""


class Tree:
    """The merged files of an image.

    `entries` has every path but the root's, without leading slash; `root` is the root directory.
    `layers` are the tars, bottom first; an entry's `layer` and `offset` say where its content is.
    `ostree` is set for an encapsulated image.  The tree is then its merge commit's as a running system
    sees it: /usr/etc appears as /etc.  `budget` is the image's, charged for all that follows too.
    """

    def __init__(
        self, layers: Sequence[LayerTar], ostree: OstreeImage | None = None, *, budget: Budget
    ) -> None:
        merged = Merged(budget)
        if ostree:
            merged.lay(container_view(ostree.merged).values())
        else:
            for layer in layers:
                merged.apply(layer.entries)
        self.layers = tuple(layers)
        self.ostree = ostree
        self.budget = budget
        self.root = merged.entries.pop("")
        self.entries: Mapping[str, Entry] = merged.entries
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
        return resolve(self.entries, path, self.budget)

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

    def read(self, path: str, limit: int = TEXT_LIMIT) -> bytes:
        """The content of a file of at most `limit` bytes; symlinks are followed inside the tree.

        Larger files are read with `chunks`.
        """
        found = self.resolve(path)
        entry = self.entries.get(found) if found is not None else None
        if entry is None or entry.kind is not Kind.FILE:
            raise BootimgError(
                "layer-file-missing",
                f"the image has no file /{path.lstrip('/')[:200]}",
                hint="add the file where the layer is made",
            )
        if entry.size > limit:
            raise too_large(entry.path, entry.size, limit)
        self.budget.steps(_READ_STEPS, path)
        self.budget.hold(entry.size, path)
        return b"".join(self.chunks(entry))

    def chunks(self, entry: Entry) -> Iterator[bytes]:
        """The content of a file, a piece at a time."""
        yield from chunks(self.layers, entry)


def too_large(path: str, size: int, limit: int) -> BootimgError:
    """The error for a file of the layer, at most `limit` bytes of which are read."""
    return BootimgError(
        "layer-file-too-large",
        f"/{path[:200]} has {size} bytes and is too large to be read",
        context=[f"bootimg reads at most {limit} bytes of this file"],
        hint="check how the layer is made: this file should be small",
    )


def open_tree(image: Image, cache: Cache, events: Events) -> Tree:
    """Decompress and list the layers that the cache lacks, and merge all layers.

    `image-over-budget` if they take more than the image's budget allows.
    """
    layers, budget = [], image.budget.fork()
    pack(image.layers, budget)
    with events.step("layers", "Reading the layers", total=image.size) as step:
        cached = is_open_tree(image, cache)
        for number, blob in enumerate(image.layers):
            layers.append(open_layer(blob, number, cache, budget, step))
        found = encapsulation(image)
        ostree = open_ostree(found, layers, cache, budget) if found else None
        with budget.working():
            tree = Tree(layers, ostree, budget=budget)
        step.result(f"{len(tree.entries)} files in {len(layers)} layers", cached=cached)
    return tree


def is_open_tree(image: Image, cache: Cache) -> bool:
    """Whether the cache has every layer decompressed and listed."""
    return all(is_open(blob, cache) for blob in image.layers)
