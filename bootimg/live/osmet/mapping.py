"""Which bytes of a metal image the objects of its repository hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bootimg.disk.extents import Source
from bootimg.disk.gpt import Gpt
from bootimg.disk.xfs.read.errors import unreadable
from bootimg.disk.xfs.read.volume import open_xfs
from bootimg.live.osmet.fileformat import MappedPartition, Mapping
from bootimg.live.osmet.matching import ContentIndex
from bootimg.live.osmet.objects import disjoint, stored_objects

_ROOT = "root"


def mapped_partitions(disk: Source, gpt: Gpt) -> list[MappedPartition]:
    """The root partition and all others that have content of objects, in the order of the disk.

    Raises `root-filesystem-unreadable` without an XFS named root that has a repository.
    """
    root = next((each.number for each in gpt.partitions if each.name == _ROOT), None)
    if root is None:
        raise unreadable(f"no partition has the name {_ROOT}")
    volume = open_xfs(disk, *gpt.span(root))
    objects = list(stored_objects(volume))
    index = ContentIndex(volume, objects)
    found = []
    for partition in sorted(gpt.partitions, key=lambda each: each.start):
        start, length = gpt.span(partition.number)
        if partition.number == root:
            mappings = disjoint([each for stored in objects for each in stored.mappings])
        else:
            mappings = list(index.find(disk, start, start + length))
        if mappings:
            found.append(MappedPartition(start, start + length, mappings))
    return found


class Gaps:
    """The bytes outside mappings, whose `physical` counts from the start of the image."""

    def __init__(self, mappings: Sequence[Mapping]) -> None:
        self._mappings = mappings
        self._next = 0

    def within(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Start and end of each gap in a range; each call's range must follow that of the call before."""
        position = start
        while self._next < len(self._mappings) and self._mappings[self._next].physical < end:
            each = self._mappings[self._next]
            if position < each.physical:
                yield position, each.physical
            position = min(each.end, end)
            if each.end > end:
                return
            self._next += 1
        if position < end:
            yield position, end
