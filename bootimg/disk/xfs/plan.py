"""The plan: each inode gets its group and its number, before anything is written.

All groups become equally full.  The inodes of a group lie before everything else that is put there.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from bootimg.disk.filetree import Kind
from bootimg.disk.xfs import directory, directoryindex
from bootimg.disk.xfs.errors import too_small
from bootimg.disk.xfs.extents import LONGEST, tree_blocks
from bootimg.disk.xfs.forks import Division, division
from bootimg.disk.xfs.geometry import Geometry
from bootimg.disk.xfs.group import Chunk, Group
from bootimg.disk.xfs.layout import CHUNK, CHUNK_BLOCKS, NULL32, blocks_for
from bootimg.disk.xfs.ranges import block_ranges
from bootimg.disk.xfs.tree import Inode
from bootimg.disk.xfs.volume import Volume

_TREE_BLOCK_CHUNKS = 100
"""Chunks for which the inode trees are counted as one block more."""
_MADE_BY_MKFS = 3
"""Inodes that an empty file system has: the root and two for a realtime device."""


def make_plan(volume: Volume, inodes: Sequence[Inode]) -> None:
    """Number the inodes and take the blocks of their chunks; `disk-too-small` where the tree does not fit."""
    costs = [_cost(inode, volume.geometry) for inode in inodes]
    rooms = [group.room for group in volume.groups]
    chunks = -(-(len(inodes) + _MADE_BY_MKFS) // CHUNK) + len(rooms)
    total = sum(costs) + chunks * CHUNK_BLOCKS + -(-chunks // _TREE_BLOCK_CHUNKS)
    _check_room(volume.geometry, total, sum(rooms), chunks)
    shares = _distribute(costs, rooms)
    for group, room, (start, end) in zip(volume.groups, rooms, shares, strict=True):
        part = -(-room * total // sum(rooms))
        group.floor = max(group.reserve, group.free.blocks - part)
        _number(volume.geometry, group, inodes[start:end])


def _check_room(geometry: Geometry, total: int, room: int, chunks: int) -> None:
    if total > room:
        raise too_small(total, room)
    inode_room = geometry.blocks * geometry.inode_percent // 100
    if geometry.inode_percent and chunks * CHUNK_BLOCKS > inode_room:
        raise too_small(chunks * CHUNK_BLOCKS * 100 // geometry.inode_percent, geometry.blocks)


def _distribute(costs: Sequence[int], rooms: Sequence[int]) -> list[tuple[int, int]]:
    """Which inodes (start, end) each group gets, so that the costs are in proportion to the rooms."""
    # An inode itself takes an eighth of a block.
    reached = list(accumulate((8 * cost + 1 for cost in costs), initial=0))
    ends, at = [], 0
    for limit in accumulate(rooms):
        while at < len(costs) and reached[at] * sum(rooms) < limit * reached[-1]:
            at += 1
        # The root's number is fixed and lies in the first group.
        at = max(at, 1)
        ends.append(at)
    return list(zip([0, *ends], [*ends[:-1], len(costs)], strict=False))


def _number(geometry: Geometry, group: Group, inodes: Sequence[Inode]) -> None:
    """Give a group's inodes their numbers, and the group its chunks."""
    numbers: list[int] = []
    if group.number == 0:
        numbers = [geometry.root, *range(geometry.root + _MADE_BY_MKFS, geometry.root + CHUNK)]
        group.chunks.append(Chunk(geometry.root, min(CHUNK, len(inodes) + _MADE_BY_MKFS - 1)))
    for first in _take_chunks(geometry, group, len(inodes) - len(numbers)):
        left = len(inodes) - len(numbers)
        group.chunks.append(Chunk(first, min(CHUNK, left)))
        numbers += range(first, first + CHUNK)
    for inode, number in zip(inodes, numbers, strict=False):
        inode.group = group.number
        inode.number = group.number << geometry.inode_bits | number


def _take_chunks(geometry: Geometry, group: Group, count: int) -> list[int]:
    """The first inodes of chunks for `count` inodes, all chunks in one piece where one is long enough."""
    firsts: list[int] = []
    wanted = run = max(0, -(-count // CHUNK))
    while len(firsts) < wanted:
        run = min(run, wanted - len(firsts))
        start = group.free.take(run * CHUNK_BLOCKS, geometry.inode_alignment)
        if start is not None:
            blocks = range(start, start + run * CHUNK_BLOCKS, CHUNK_BLOCKS)
            firsts += (block * CHUNK // CHUNK_BLOCKS for block in blocks)
        elif run == 1:
            raise too_small(wanted * CHUNK_BLOCKS, group.room)
        else:
            run = -(-run // 2)
    return sorted(firsts)


def _cost(inode: Inode, geometry: Geometry) -> int:
    """Blocks that an inode takes outside its chunk at most."""
    node = inode.node
    divided = division(node)
    cost = divided.attribute_blocks
    match node.kind:
        case Kind.DIRECTORY:
            return cost + _directory_cost(inode, divided.data_room, geometry)
        case Kind.SYMLINK:
            return cost + (len(node.target) > divided.data_room)
        case Kind.FILE:
            return cost + _file_cost(inode.shares or inode, divided, owner=inode.shares is None)
    return cost


def _directory_cost(inode: Inode, room: int, geometry: Geometry) -> int:
    names = list(inode.children or ())
    # The numbers are not known yet: where one may need 8 bytes, all are counted so.
    wide = geometry.group_count << geometry.inode_bits > NULL32
    if directory.fits_inode([len(name) for name in names], room, wide=wide):
        return 0
    return directoryindex.block_count(names)


def _file_cost(inode: Inode, divided: Division, *, owner: bool) -> int:
    node = inode.node
    if not node.size or node.content is None:
        return 0
    runs = [blocks_for(length) for _, length in block_ranges(node)]
    extents = sum(1 + blocks // LONGEST for blocks in runs)
    return (sum(runs) if owner else 0) + tree_blocks(extents, divided.data_fork(extents * 16))
