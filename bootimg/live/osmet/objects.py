"""The objects of the OSTree repository on a disk, and where their content is in the root partition."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bootimg.disk.extents import is_zero
from bootimg.disk.xfs.layout import BLOCK
from bootimg.disk.xfs.read.extents import written_extents
from bootimg.disk.xfs.read.folders import find_folder, names
from bootimg.disk.xfs.read.inodes import Inode, read_inodes
from bootimg.disk.xfs.read.volume import XfsVolume
from bootimg.live.osmet.fileformat import Mapping

_OBJECTS = b"ostree/repo/objects"
_FOLDER = re.compile(rb"[0-9a-f]{2}")
_FILE = re.compile(rb"([0-9a-f]{62})\.file")


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object of `size` bytes; the mappings say where its data is in the partition, holes are left out."""

    checksum: bytes
    size: int
    mappings: Sequence[Mapping]


def stored_objects(volume: XfsVolume) -> Iterator[StoredObject]:
    """The regular files among a repository's content objects that are not empty.

    Raises `root-filesystem-unreadable` if the file system has no repository.
    """
    found: dict[int, bytes] = {}
    folders = {
        number: name
        for name, number in names(volume, find_folder(volume, _OBJECTS)).items()
        if _FOLDER.fullmatch(name)
    }
    for folder in read_inodes(volume, folders):
        for name, number in names(volume, folder).items():
            if match := _FILE.fullmatch(name):
                found[number] = bytes.fromhex((folders[folder.number] + match[1]).decode())
    for inode in read_inodes(volume, found):
        if inode.is_file:
            yield StoredObject(
                found[inode.number], inode.size, list(_mappings(volume, inode, found[inode.number]))
            )


def _mappings(volume: XfsVolume, inode: Inode, checksum: bytes) -> Iterator[Mapping]:
    """The last block counts as a whole if the rest of it is zeros, as it should be."""
    for extent in written_extents(volume, inode):
        logical, length = extent.offset * BLOCK, extent.length * BLOCK
        physical = volume.address(extent.start)
        rest = logical + length - inode.size
        if rest >= length:
            continue
        if rest > 0 and not (rest < BLOCK and is_zero(volume.read(physical + length - rest, rest))):
            length -= rest
        yield Mapping(physical, length, logical, checksum)


def stored_content(volume: XfsVolume, stored: StoredObject, offset: int, length: int) -> bytes:
    """`length` bytes of an object from a byte on, zeros in holes and after its end."""
    content, end = bytearray(length), offset + length
    for each in stored.mappings:
        low, high = max(offset, each.logical), min(end, each.logical + each.length)
        if low < high:
            data = volume.read(each.physical + low - each.logical, high - low)
            content[low - offset : high - offset] = data
    return bytes(content)


def disjoint(mappings: Sequence[Mapping]) -> list[Mapping]:
    """The mappings in order, without those parts that an earlier one covers: objects may share extents."""
    found: list[Mapping] = []
    end = 0
    for each in sorted(mappings, key=lambda each: (each.physical, -each.length, each.checksum)):
        covered = max(0, end - each.physical)
        if covered < each.length:
            start, logical = each.physical + covered, each.logical + covered
            found.append(Mapping(start, each.length - covered, logical, each.checksum))
            end = each.end
    return found
