"""The root file system of live media, opened for reading of single files."""

from __future__ import annotations

from pathlib import Path

from bootimg.disk.extents import FileSource
from bootimg.live.fsoptions import FsType
from bootimg.live.iso.image import IsoImage
from bootimg.live.iso.liveiso import ROOTFS
from bootimg.live.reading.erofstree import ErofsTree
from bootimg.live.reading.isoparts import part_of
from bootimg.live.reading.packedtree import PackedTree
from bootimg.live.reading.readers import require_reader
from bootimg.live.reading.region import Region
from bootimg.live.reading.rootfs import read_rootfs
from bootimg.live.reading.squashfstree import SquashfsTree
from bootimg.live.rootfsimage import DATA_OFFSET
from bootimg.untrusted.budget import Budget

_TREES: dict[FsType, type[PackedTree]] = {FsType.SQUASHFS: SquashfsTree, FsType.EROFS: ErofsTree}


def root_of_iso(path: Path, scratch: Path, budget: Budget) -> PackedTree | None:
    """The root file system of an ISO; None if it has no rootfs image.

    `scratch` is a folder for temporary files.  Raises `iso-unreadable`, `live-archive-malformed`,
    `live-rootfs-unreadable`, `program-missing`, `live-reader-too-old`, `image-over-budget`.
    """
    with FileSource(path) as source:
        region = part_of(IsoImage(source, budget), ROOTFS)
        return None if region is None else _opened(path, region, scratch, budget)


def root_of_image(path: Path, scratch: Path, budget: Budget) -> PackedTree:
    """The root file system in a rootfs image; raises the same."""
    with FileSource(path) as source:
        return _opened(path, Region(source, 0, source.size), scratch, budget)


def _opened(path: Path, region: Region, scratch: Path, budget: Budget) -> PackedTree:
    fstype = read_rootfs(region, budget).filesystem.fstype
    # Programs get whole paths: a name could begin like an option.
    offset = region.offset + DATA_OFFSET
    return _TREES[fstype](path.absolute(), offset, require_reader(fstype), scratch, budget)
