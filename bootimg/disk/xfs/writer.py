"""Writes inodes with their contents, attributes and directories, each at the place that the plan gave it."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence

from bootimg.disk.filetree import Kind
from bootimg.disk.xfs import attributeleaves, directory
from bootimg.disk.xfs.contents import ContentWriter
from bootimg.disk.xfs.directoryindex import long_form
from bootimg.disk.xfs.extents import RECORD, Extent, extent_tree, joined
from bootimg.disk.xfs.forks import Division, division
from bootimg.disk.xfs.inode import Fork, Forks, Format, inode_record
from bootimg.disk.xfs.layout import BLOCK, REMOTE, BlockKind, blocks_for
from bootimg.disk.xfs.metadata import InodeWriter
from bootimg.disk.xfs.ranges import block_ranges
from bootimg.disk.xfs.tree import Inode
from bootimg.disk.xfs.volume import Volume


class Writer:
    """Writes the inodes of a volume; `now` is the time of their making in nanoseconds.

    `advance` is called with the bytes of files' content as they are written.
    """

    def __init__(self, volume: Volume, now: int, advance: Callable[[int], None]) -> None:
        self._volume = volume
        self._now = now
        self.contents = ContentWriter(volume.partition, advance)
        self.inodes = InodeWriter(volume.partition)

    def write(self, inode: Inode) -> None:
        """Write an inode and all that it owns."""
        divided = division(inode.node)
        forks = self._forks(inode, divided)
        record = inode_record(inode, forks, self._now, self._volume.geometry.uuid)
        self.inodes.add(self._volume.geometry.inode_address(inode.number), record)

    def _forks(self, inode: Inode, divided: Division) -> Forks:
        size, inline, extents = self._data(inode, divided.data_room)
        need = len(inline) if inline is not None else len(extents) * RECORD
        room = divided.data_fork(need)
        if inline is not None:
            data = Fork(Format.DEVICE if divided.special else Format.INLINE, inline)
        else:
            data = self._mapped(inode, extents, room)
        if not divided.attributes:
            return Forks(size, data)
        return Forks(size, data, self._attribute_fork(inode, divided, room), room)

    def _data(self, inode: Inode, room: int) -> tuple[int, bytes | None, list[Extent]]:
        """The data's size, and either the bytes that lie in the inode or the extents."""
        match inode.node.kind:
            case Kind.DIRECTORY:
                return self._directory(inode, room)
            case Kind.SYMLINK:
                return self._symlink(inode, room)
            case Kind.FILE:
                return self._file(inode)
        return 0, struct.pack(">I", inode.node.device[0] << 18 | inode.node.device[1]), []

    def _mapped(self, inode: Inode, extents: Sequence[Extent], room: int) -> Fork:
        """A fork of extents, which become a tree where the list does not fit."""
        blocks = sum(extent.length for extent in extents)
        if len(extents) * RECORD <= room:
            return Fork(Format.EXTENTS, b"".join(each.record() for each in extents), len(extents), blocks)
        root, used = extent_tree(self._volume, extents, inode.number, room, inode.group)
        return Fork(Format.TREE, root, len(extents), blocks + used)

    def _directory(self, inode: Inode, room: int) -> tuple[int, bytes | None, list[Extent]]:
        names = list(inode.names)
        parent = inode.parent.number
        wide = directory.wide_numbers(names, parent) > 0
        if directory.fits_inode([len(name.name) for name in names], room, wide=wide):
            short = directory.short_form(names, parent)
            return len(short), short, []
        parts, size = long_form(list(directory.with_dots(names, inode.number, parent)))
        return size, None, self._metadata(inode, [block for part in parts for block in part.placed()])

    def _symlink(self, inode: Inode, room: int) -> tuple[int, bytes | None, list[Extent]]:
        target = inode.node.target
        if len(target) <= room:
            return len(target), target, []
        block = bytearray(struct.pack(">4sII", b"XSLM", 0, len(target)).ljust(56, b"\0") + target)
        return len(target), None, self._metadata(inode, [(0, REMOTE, block.ljust(BLOCK, b"\0"))])

    def _metadata(self, inode: Inode, blocks: Sequence[tuple[int, BlockKind, bytearray]]) -> list[Extent]:
        """Write blocks (offset in the fork, kind, block) to free places; returns the extents."""
        pieces = self._volume.take(len(blocks), inode.group)
        places = (start + at for start, length in pieces for at in range(length))
        extents = []
        for place, (offset, kind, block) in zip(places, blocks, strict=True):
            self._volume.metadata.add(place, kind, block, inode.number)
            extents.append(Extent(offset, place, 1))
        return joined(extents)

    def _attribute_fork(self, inode: Inode, divided: Division, data_size: int) -> Fork:
        if divided.short is not None:
            return Fork(Format.INLINE, divided.short)
        blocks = attributeleaves.long_form(divided.attributes)
        extents = self._metadata(inode, [(at, kind, block) for at, (kind, block) in enumerate(blocks)])
        return self._mapped(inode, extents, divided.attribute_room(data_size))

    def _file(self, inode: Inode) -> tuple[int, bytes | None, list[Extent]]:
        if inode.shares is not None:
            return inode.shares.node.size, None, inode.shares.extents
        runs = block_ranges(inode.node)
        if not runs:
            return inode.node.size, None, []
        pieces = self._volume.take(sum(blocks_for(length) for _, length in runs), inode.group)
        extents = []
        for extent, length in _placed(runs, pieces):
            address = self._volume.geometry.address(extent.start)
            self.contents.write(inode.node, extent.offset * BLOCK, address, length)
            extents.append(extent)
        extents = joined(extents)
        if inode.owners > 1:
            inode.extents = extents
        return inode.node.size, None, extents


def _placed(
    runs: Iterable[tuple[int, int]], pieces: Iterable[tuple[int, int]]
) -> Iterator[tuple[Extent, int]]:
    """The runs of a file laid onto pieces of free space: extents, and the bytes of content in each."""
    free = iter(pieces)
    start = left = 0
    for offset, length in runs:
        end = offset + length
        while offset < end:
            if not left:
                start, left = next(free)
            count = min(left, blocks_for(end - offset))
            yield Extent(offset // BLOCK, start, count), min(count * BLOCK, end - offset)
            start, left, offset = start + count, left - count, offset + count * BLOCK
