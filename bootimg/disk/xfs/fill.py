"""Fills an empty XFS with a tree in one pass; the same tree gives the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from bootimg.disk.filetree import Node
from bootimg.disk.xfs.group import Group
from bootimg.disk.xfs.grouptree import free_space_trees, inode_trees, shared_tree
from bootimg.disk.xfs.inode import free_inode, settled_realtime_inode
from bootimg.disk.xfs.layout import BLOCK, CHUNK, INODE
from bootimg.disk.xfs.partition import Partition
from bootimg.disk.xfs.plan import make_plan
from bootimg.disk.xfs.tree import Inode, read_tree
from bootimg.disk.xfs.volume import Volume
from bootimg.disk.xfs.writer import Writer

_GROUP_HEAD = 32
"""Blocks at the start of a group that have its headers, the roots of its trees and its free list."""


@dataclass(frozen=True, slots=True)
class Filled:
    """What a file system has after filling."""

    inodes: int
    free_blocks: int
    metadata: tuple[tuple[int, int], ...]
    """Where all metadata lies in the file system, for `check_xfs`: start and length in bytes."""


def _no_progress(_: int) -> None:
    return


def fill_xfs(
    image: Path,
    nodes: Iterable[Node],
    *,
    now: int,
    offset: int = 0,
    advance: Callable[[int], None] = _no_progress,
) -> Filled:
    """Fill the XFS that lies `offset` bytes into an image, fresh from `make_xfs`.

    The tree follows the rules of `Node`.  `now` (nanoseconds since 1970) becomes the time at which all
    inodes were made and changed.  `advance` is called with the bytes of files' content as they are written.
    The caller syncs the image.

    Nothing is written before these errors: `xfs-feature-unsupported`, `xfs-not-fresh`,
    `xfs-file-unsupported`, `disk-too-small`.  After `xfs-content-short` the image is unusable.
    """
    with image.open("r+b", buffering=0) as file:
        return fill_volume(Volume(Partition(file.fileno(), offset)), nodes, now, advance)


def fill_volume(
    volume: Volume, nodes: Iterable[Node], now: int, advance: Callable[[int], None] = _no_progress
) -> Filled:
    """Fill a volume; see `fill_xfs`."""
    inodes = read_tree(nodes)
    make_plan(volume, inodes)
    realtime = _realtime_inodes(volume, now)
    writer = Writer(volume, now, advance)
    with closing(writer.contents):
        _write_inodes(volume, writer, inodes, realtime)
    return _finish(volume, inodes)


def _realtime_inodes(volume: Volume, now: int) -> bytes:
    geometry = volume.geometry
    found = []
    for number in geometry.realtime_inodes:
        record = volume.partition.read(geometry.inode_address(number), INODE)
        found.append(settled_realtime_inode(record, now))
    return b"".join(found)


def _write_inodes(volume: Volume, writer: Writer, inodes: Sequence[Inode], realtime: bytes) -> None:
    """Write all inodes in order; group by group, the free inodes of its last chunk follow."""
    at = 0
    for group in volume.groups:
        while at < len(inodes) and inodes[at].group == group.number:
            writer.write(inodes[at])
            if at == 0:
                address = volume.geometry.inode_address(volume.geometry.root + 1)
                for index in range(2):
                    record = realtime[index * INODE : (index + 1) * INODE]
                    writer.inodes.add(address + index * INODE, record)
            at += 1
        _write_free_inodes(volume, writer, group)
    writer.inodes.flush()
    writer.contents.flush()


def _write_free_inodes(volume: Volume, writer: Writer, group: Group) -> None:
    geometry = volume.geometry
    for chunk in group.chunks:
        for index in range(chunk.used, CHUNK):
            number = group.number << geometry.inode_bits | chunk.first + index
            writer.inodes.add(geometry.inode_address(number), free_inode(number, geometry.uuid))


def _finish(volume: Volume, inodes: Sequence[Inode]) -> Filled:
    """Write the groups' trees and headers and, last of all, the superblock."""
    _collect_shared(volume, inodes)
    headers = [_finish_group(volume, group) for group in volume.groups]
    volume.metadata.flush()
    geometry = volume.geometry
    for group, header in zip(volume.groups, headers, strict=True):
        start = group.number * geometry.group_blocks * BLOCK
        volume.partition.write_metadata(start + geometry.sector, header)
    counters = (
        sum(group.inodes for group in volume.groups),
        sum(group.free_inodes for group in volume.groups),
        sum(group.free_blocks for group in volume.groups),
    )
    volume.partition.write_metadata(0, geometry.finished_superblock(*counters))
    return Filled(len(inodes), counters[2], tuple(_made_by_mkfs(volume)) + tuple(volume.partition.metadata))


def _made_by_mkfs(volume: Volume) -> Iterator[tuple[int, int]]:
    """Where mkfs.xfs put metadata: the head of each group, and the log."""
    geometry = volume.geometry
    for group in volume.groups:
        yield group.number * geometry.group_blocks * BLOCK, _GROUP_HEAD * BLOCK
    yield geometry.address(geometry.log[0]), geometry.log[1] * BLOCK


def _collect_shared(volume: Volume, inodes: Iterable[Inode]) -> None:
    for inode in inodes:
        if inode.owners > 1:
            for extent in inode.extents:
                group, start = volume.split(extent.start)
                group.shared.append((start, extent.length, inode.owners))


def _finish_group(volume: Volume, group: Group) -> bytes:
    """Write a group's trees; the free space comes last because the others take blocks."""
    inode, free_inode_root = inode_trees(volume, group)
    shared = shared_tree(volume, group)
    free_space_trees(volume, group)
    return group.headers(inode, free_inode_root, shared)
