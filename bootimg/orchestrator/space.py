"""Where and how much a build writes, so that it is refused before it starts if the space is too small."""

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
"""Bytes of libguestfs' appliance, which is made once per machine."""
EXPANSION = 3
"""Bytes of a tar per byte of its blob; CoreOS layers compress to between a half and a third."""
_OBJECT = 4096
# What the empty file systems take.
_EMPTY = 288 * MIB


@dataclass(frozen=True, slots=True)
class Space:
    """Bytes that a build will write to the file system of `path`, for `purpose` (cache or builds)."""

    purpose: str
    path: Path
    need: int

    @property
    def free(self) -> int:
        """Bytes that are free there now."""
        return free_space(self.path)

    @property
    def device(self) -> int:
        """The device number, which identifies the file system."""
        return nearest_folder(self.path).stat().st_dev


def require_room(spaces: Iterable[Space]) -> None:
    """Raise `no-space-left` if a file system has less free space than the build needs there."""
    together = defaultdict(list)
    for space in spaces:
        together[space.device].append(space)
    for found in together.values():
        need = sum(space.need for space in found)
        if need:
            require_space(max(found, key=lambda space: space.need).path, need)


def tree_bytes(image: Image, tree: Tree | None) -> int:
    """Bytes of the layer's unpacked files, each in whole blocks; a guess if they are not read yet."""
    if tree is None:
        return image.size * EXPANSION
    return tree.size + _OBJECT * len(tree.entries)


def base_bytes(image: Image, tree: Tree | None, *, labelled_by_bootc: bool = False) -> int:
    """Bytes of the base disk: at most the content that its root file system is sized for."""
    if tree is None:
        return tree_bytes(image, None) * 3 // 2 + _EMPTY
    return estimate_root_mib(tree, labelled_by_bootc=labelled_by_bootc) * MIB


def blob_bytes(image: Image, cache: Cache) -> int:
    """Bytes of the blobs to fetch."""
    return sum(blob.size for blob in BlobStore(cache).lacking(image))


def tar_bytes(image: Image, cache: Cache) -> int:
    """Bytes of the tars to decompress; a guess."""
    return EXPANSION * sum(blob.size for blob in image.layers if not is_open(blob, cache))


def appliance_bytes(cache: Cache) -> int:
    """Bytes of the appliance, if this cache has none yet."""
    folder = cache.root / "appliance"
    return 0 if folder.is_dir() and any(folder.iterdir()) else APPLIANCE
