"""The layout of an ISO: which sector has what, known before anything is written.

The order is: system area, descriptors, path tables, folders of the primary tree, Rock Ridge's continuation
area, folders of the Joliet tree, boot catalogue, files in the order given, padding.  So two ISOs that differ
only in their last files have all others at the same place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from bootimg.live.iso.descriptors import Volume
from bootimg.live.iso.eltorito import BootImage, catalogue, with_info_table
from bootimg.live.iso.isohybrid import Hybrid, check_hybrid, hybrid_areas
from bootimg.live.iso.records import Extent
from bootimg.live.iso.sectors import SECTOR, SYSTEM_AREA, sector_count
from bootimg.live.iso.tree import IsoFile, build_tree
from bootimg.live.iso.trees import Trees
from bootimg.sysroot.entries import Content

# Linux reads ahead past the last file of a CD; genisoimage and xorriso write as many sectors after it.
_PADDING = 150


@dataclass(frozen=True, slots=True, kw_only=True)
class Boot:
    """How an ISO is started: its catalogue's path, the images in that, and what makes the ISO a disk too."""

    catalogue: str
    images: tuple[BootImage, ...]
    hybrid: Hybrid | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IsoLayout:
    """An ISO that can be written: `head` until the first file, the files with their byte offsets, `tail`.

    `files` has every file, by path, in the order of the offsets.  `volume_size` and `size` are in bytes,
    without and with what makes the ISO a disk.
    """

    head: bytes
    files: Mapping[str, IsoFile]
    offsets: Mapping[str, int]
    tail: bytes
    volume_size: int

    @property
    def size(self) -> int:
        """The size of the finished ISO in bytes."""
        return self.volume_size + len(self.tail)

    def with_content(self, path: str, data: bytes) -> IsoLayout:
        """The same layout with other content of one file, which must have the same size."""
        file = self.files[path]
        if len(data) != file.size:
            raise ValueError(f"{path} has {file.size} bytes in the layout, not {len(data)}")
        return replace(self, files={**self.files, path: replace(file, content=data)})


def lay_out(files: Sequence[IsoFile], volume: Volume, boot: Boot | None = None) -> IsoLayout:
    """Give every file its place.

    Raises `iso-name-invalid`, `iso-file-too-large` and, for boot files that are damaged, `isolinux-invalid`.
    """
    if boot is not None:
        files = [IsoFile.of(boot.catalogue, bytes(SECTOR)), *files]
    trees = Trees(build_tree(files), volume)
    extents = dict(_placed(files, trees.end))
    ends = [extent.sector + sector_count(extent.length) for extent in extents.values()]
    sectors = max([trees.end, *ends]) + _PADDING
    filled = {file.path: file for file in files}
    area, tail = bytes(SYSTEM_AREA), b""
    if boot is not None:
        filled = _with_boot(filled, boot, extents)
        area, tail = _disk_areas(filled, boot, volume, extents, sectors)
    at = extents[boot.catalogue].sector if boot else None
    return IsoLayout(
        head=area + trees.descriptors(sectors, at) + trees.folders(extents),
        files=filled,
        offsets={path: extent.sector * SECTOR for path, extent in extents.items()},
        tail=tail,
        volume_size=sectors * SECTOR,
    )


def _placed(files: Sequence[IsoFile], first: int) -> Iterator[tuple[str, Extent]]:
    for file in files:
        yield file.path, Extent(first, file.size)
        first += sector_count(file.size)


def _with_boot(files: Mapping[str, IsoFile], boot: Boot, extents: Mapping[str, Extent]) -> dict[str, IsoFile]:
    """The files with the catalogue, and with the tables of the images that have one."""
    filled = dict(files)
    places = {path: (extent.sector, extent.length) for path, extent in extents.items()}
    for image in boot.images:
        if image.info_table:
            data = with_info_table(_bytes(files[image.path].content), extents[image.path].sector)
            filled[image.path] = replace(files[image.path], content=data)
    data = catalogue(boot.images, places)
    filled[boot.catalogue] = replace(files[boot.catalogue], content=data)
    return filled


def _disk_areas(
    files: Mapping[str, IsoFile], boot: Boot, volume: Volume, extents: Mapping[str, Extent], sectors: int
) -> tuple[bytes, bytes]:
    hybrid = boot.hybrid
    if hybrid is None:
        return bytes(SYSTEM_AREA), b""
    check_hybrid(hybrid.boot_code, _bytes(files[hybrid.bios].content))
    efi = extents[hybrid.efi]
    bios = extents[hybrid.bios].sector
    return hybrid_areas(hybrid, volume.set_id, sectors, bios, (efi.sector, efi.length))


def _bytes(content: Content) -> bytes:
    if not isinstance(content, bytes):
        raise TypeError("a boot image with a table is given as bytes")
    return content
