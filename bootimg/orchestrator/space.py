"""Where a build writes and how much, so that one that cannot end well is refused before it starts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bootimg.atomic import free_space, nearest_folder, require_space
from bootimg.cache import Cache
from bootimg.disk.size import estimate_root_mib
from bootimg.layer.image.blobs import BlobStore
from bootimg.layer.image.fetched import Image
from bootimg.layer.tar.opened import is_open
from bootimg.layer.tree.merged import Tree
from bootimg.sizes import MIB

APPLIANCE = 700 * MIB
"""What libguestfs' appliance takes, once a machine."""
EXPANSION = 3
"""Bytes of a tar for one of its blob; CoreOS layers compress to between a half and a third."""
_OBJECT = 4096
# What the file systems take that have nothing in them yet.
_EMPTY = 288 * MIB


@dataclass(frozen=True, slots=True)
class Space:
    """Bytes that a build will write to the file system of `path`, for `purpose` (cache or builds)."""

    purpose: str
    path: Path
    need: int

    @property
    def free(self) -> int:
        """Bytes free there now."""
        return free_space(self.path)

    @property
    def device(self) -> int:
        """What tells file systems apart."""
        return nearest_folder(self.path).stat().st_dev


def require_room(spaces: Iterable[Space]) -> None:
    """`no-space-left` where a file system has less free than all that goes there."""
    together = defaultdict(list)
    for space in spaces:
        together[space.device].append(space)
    for found in together.values():
        need = sum(space.need for space in found)
        if need:
            require_space(max(found, key=lambda space: space.need).path, need)


def tree_bytes(image: Image, tree: Tree | None) -> int:
    """What the files of the layer take unpacked, each in whole blocks; a guess where they are unread."""
    if tree is None:
        return image.size * EXPANSION
    return tree.size + _OBJECT * len(tree.entries)


def base_bytes(image: Image, tree: Tree | None, *, labelled_by_bootc: bool = False) -> int:
    """What the base disk takes: at most what its root file system is made for."""
    if tree is None:
        return tree_bytes(image, None) * 3 // 2 + _EMPTY
    return estimate_root_mib(tree, labelled_by_bootc=labelled_by_bootc) * MIB


def blob_bytes(image: Image, cache: Cache) -> int:
    """The blobs that are to be fetched."""
    return sum(blob.size for blob in BlobStore(cache).lacking(image))


def tar_bytes(image: Image, cache: Cache) -> int:
    """The tars that are to be decompressed; a guess."""
    return EXPANSION * sum(blob.size for blob in image.layers if not is_open(blob, cache))


def appliance_bytes(cache: Cache) -> int:
    """The appliance, where this cache has none yet."""
    folder = cache.root / "appliance"
    return 0 if folder.is_dir() and any(folder.iterdir()) else APPLIANCE
