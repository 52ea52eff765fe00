"""Metadata on its way to the disk: checksums are calculated for many records at once."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

from bootimg.crc32c import crc32c_records
from bootimg.disk.xfs.geometry import Geometry
from bootimg.disk.xfs.layout import BASIC, BLOCK, INODE, BlockKind
from bootimg.disk.xfs.partition import Partition

_BLOCKS = 512
"""Blocks that wait at most."""
_INODES = 1024
_INODE_CHECKSUM = 100


def seal_records(records: bytearray, size: int, checksum: int) -> None:
    """Put its CRC-32C into each record of `size` bytes, at `checksum`, where it has zeros."""
    for index, value in enumerate(crc32c_records(bytes(records), size)):
        struct.pack_into("<I", records, index * size + checksum, value)


class MetadataWriter:
    """Completes blocks' headers, and writes them in batches, neighbours together."""

    def __init__(self, partition: Partition, geometry: Geometry) -> None:
        self._partition = partition
        self._geometry = geometry
        self._waiting: dict[int, list[tuple[int, bytearray]]] = {}
        self._count = 0

    def add(self, number: int, kind: BlockKind, block: bytearray, owner: int) -> None:
        """Write a block of metadata to a file system block number."""
        address = self._geometry.address(number)
        struct.pack_into(">Q", block, kind.address, address // BASIC)
        block[kind.uuid : kind.uuid + 16] = self._geometry.uuid
        struct.pack_into(">I" if kind.narrow else ">Q", block, kind.owner, owner)
        self._waiting.setdefault(kind.checksum, []).append((address, block))
        self._count += 1
        if self._count >= _BLOCKS:
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        sealed = [item for checksum, items in self._waiting.items() for item in _sealed(items, checksum)]
        for address, data in _runs(sorted(sealed)):
            self._partition.write_metadata(address, data)
        self._waiting.clear()
        self._count = 0


def _sealed(items: list[tuple[int, bytearray]], checksum: int) -> Iterator[tuple[int, bytes]]:
    blocks = bytearray().join(block for _, block in items)
    seal_records(blocks, BLOCK, checksum)
    for index, (address, _) in enumerate(items):
        yield address, bytes(blocks[index * BLOCK : (index + 1) * BLOCK])


def _runs(blocks: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
    """Sorted blocks, those that lie side by side joined."""
    start, run = 0, list[bytes]()
    for address, block in blocks:
        if run and address != start + len(run) * BLOCK:
            yield start, b"".join(run)
            run = []
        if not run:
            start = address
        run.append(block)
    if run:
        yield start, b"".join(run)


class InodeWriter:
    """Gathers inodes whose places follow one another, and writes them with their checksums."""

    def __init__(self, partition: Partition) -> None:
        self._partition = partition
        self._start = 0
        self._records = bytearray()

    def add(self, address: int, record: bytes) -> None:
        """Write an inode to a byte address; its checksum's place holds zeros."""
        if address != self._start + len(self._records) or len(self._records) >= _INODES * INODE:
            self.flush()
            self._start = address
        self._records += record

    def flush(self) -> None:
        """Write what waits."""
        if self._records:
            seal_records(self._records, INODE, _INODE_CHECKSUM)
            self._partition.write_metadata(self._start, self._records)
            self._records = bytearray()
