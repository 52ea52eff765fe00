"""An XFS that is being filled: its geometry, its groups' free space, its metadata on the way to the disk."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from bootimg.disk.xfs.geometry import Geometry, read_geometry
from bootimg.disk.xfs.group import Group, read_group
from bootimg.disk.xfs.layout import GROUP_TREE
from bootimg.disk.xfs.metadata import MetadataWriter
from bootimg.disk.xfs.partition import Partition


class Volume:
    """The file system in a partition.

    Blocks come from a preferred group while that is above its floor, then from the groups after it, at
    last from below the floors.
    """

    def __init__(self, partition: Partition) -> None:
        self.partition = partition
        self.geometry: Geometry = read_geometry(partition)
        self.groups = [
            read_group(partition, self.geometry, number) for number in range(self.geometry.group_count)
        ]
        self.metadata = MetadataWriter(partition, self.geometry)

    def take(self, blocks: int, group: int) -> list[tuple[int, int]]:
        """Take blocks, in one piece where one is long enough: (file system block number, length)."""
        found = []
        for candidate, floor in self._candidates(group):
            while blocks and candidate.free.blocks > floor:
                piece = candidate.free.take_most(min(blocks, candidate.free.blocks - floor))
                assert piece is not None
                found.append((self.number(candidate, piece[0]), piece[1]))
                blocks -= piece[1]
            if not blocks:
                return found
        raise AssertionError("the plan counted too few blocks")

    def take_block(self, group: int) -> int:
        """Take one block and return its file system block number."""
        return self.take(1, group)[0][0]

    def take_in_group(self, group: Group) -> int:
        """Take one block of this group, counted from the group's start."""
        place = group.free.take(1)
        assert place is not None
        return place

    def number(self, group: Group, block: int) -> int:
        """The file system block number of a group's block."""
        return group.number << self.geometry.group_bits | block

    def split(self, number: int) -> tuple[Group, int]:
        """The group of a file system block number, and the block counted from the group's start."""
        bits = self.geometry.group_bits
        return self.groups[number >> bits], number & (1 << bits) - 1

    def add_group_block(self, group: Group, place: int, block: bytearray) -> None:
        """Write a block of one of the group's trees."""
        self.metadata.add(self.number(group, place), GROUP_TREE, block, group.number)

    def _candidates(self, group: int) -> Iterator[tuple[Group, int]]:
        order = self.groups[group:] + self.groups[:group]
        return chain(
            ((each, each.floor) for each in order),
            ((each, each.reserve) for each in order),
        )
