"""The partitions of a disk for Secure Execution, and a source that puts it together from others.

Boot and root are those of the ordinary base disk, byte for byte, elsewhere on the disk.  The sizes are those
of coreos-assembler's coreos.osbuild.s390x.mpp.yaml.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from bootimg.disk.extents import Extent, Source
from bootimg.disk.gpt import Gpt, Partition, partition_guid
from bootimg.disk.zipl.describe import SECURE
from bootimg.secex.verity import tree_size
from bootimg.sizes import MIB, align_up

SE, BOOT, ROOT, BOOT_HASH, ROOT_HASH = 1, 3, 4, 5, 6
"""Numbers of partitions."""
_LINUX = UUID("0fc63daf-8483-4772-8e79-3d69d8477de4")
_ROOT_VERITY = UUID("b325bfbe-c7be-4ab8-8357-139e652d2f6b")
_SE_SIZE, _BOOT_HASH_SIZE, _ROOT_HASH_SIZE = 200 * MIB, 128 * MIB, 256 * MIB


def secure_table(base: Gpt, layer_digest: str) -> Gpt:
    """The table of the disk that is made from a base disk with such a table."""
    (_, boot), (_, root) = base.span(BOOT), base.span(ROOT)
    rows = (
        (SE, SECURE, _LINUX, _SE_SIZE),
        (BOOT, "boot", _LINUX, boot),
        (ROOT, "root", _LINUX, root),
        (BOOT_HASH, "boothash", _LINUX, max(_BOOT_HASH_SIZE, tree_size(boot))),
        (ROOT_HASH, "roothash", _ROOT_VERITY, max(_ROOT_HASH_SIZE, tree_size(root))),
    )
    offset, size, partitions = MIB, base.sector_size, []
    for number, name, kind, length in rows:
        guid = partition_guid(layer_digest, name)
        partitions.append(Partition(number, name, kind, guid, offset // size, length // size))
        offset = align_up(offset + length, MIB)
    return Gpt(base.disk_guid, (offset + MIB) // size, tuple(partitions), size)


@dataclass(frozen=True, slots=True)
class Piece:
    """`length` bytes of a source, from `start` on, at `offset` of the disk."""

    offset: int
    source: Source
    start: int
    length: int

    @property
    def end(self) -> int:
        """The offset behind it."""
        return self.offset + self.length


class Assembled:
    """A disk of `size` bytes from pieces that do not overlap; holes are between them."""

    def __init__(self, pieces: Sequence[Piece], size: int) -> None:
        self._pieces = sorted(pieces, key=lambda piece: piece.offset)
        self._ends = [piece.end for piece in self._pieces]
        self._size = size
        starts = [piece.offset for piece in self._pieces]
        if any(end > start for end, start in zip(self._ends, [*starts[1:], size], strict=True)):
            raise ValueError("the pieces overlap, or do not fit the disk")

    @property
    def size(self) -> int:
        """The disk's size in bytes."""
        return self._size

    def read(self, offset: int, length: int) -> bytes:
        """Bytes of the disk."""
        if offset < 0 or offset + length > self._size:
            raise EOFError(f"{length} bytes at {offset} are not inside a disk of {self._size}")
        found, end = bytearray(length), offset + length
        for piece in self._pieces[bisect_right(self._ends, offset) :]:
            if piece.offset >= end:
                break
            low, high = max(offset, piece.offset), min(end, piece.end)
            data = piece.source.read(piece.start + low - piece.offset, high - low)
            found[low - offset : high - offset] = data
        return bytes(found)

    def extents(self) -> Iterator[Extent]:
        """Data and holes: those of the pieces, and the holes between them."""
        position = 0
        for piece in self._pieces:
            if piece.offset > position:
                yield Extent(position, piece.offset - position, data=False)
            yield from _moved(piece)
            position = piece.end
        if position < self._size:
            yield Extent(position, self._size - position, data=False)


def _moved(piece: Piece) -> Iterator[Extent]:
    by = piece.offset - piece.start
    for extent in piece.source.extents():
        low, high = max(extent.offset, piece.start), min(extent.end, piece.start + piece.length)
        if low < high:
            yield Extent(low + by, high - low, data=extent.data)
