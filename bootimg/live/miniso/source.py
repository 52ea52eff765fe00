"""A minimal ISO, read from its full ISO and miniso.dat."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterator
from io import BytesIO
from typing import NamedTuple

from bootimg.disk.extents import Extent, Source
from bootimg.errors import BootimgError, ExitCode
from bootimg.live.iso.sectors import SECTOR
from bootimg.live.malformed import MalformedError
from bootimg.live.miniso.fileformat import Miniso, damaged
from bootimg.live.xzread import XzReader
from bootimg.sizes import MIB
from bootimg.untrusted.budget import Budget


class _Piece(NamedTuple):
    """Bytes of the minimal ISO from `start` on, which lie at `at` in the full ISO or in the unpacked rest."""

    start: int
    at: int
    shared: bool


class MinimalIso:
    """The minimal ISO as a source; raises `miniso-damaged`, `image-over-budget`.

    What is read is right only if `verify` finds the ISO's digest.
    """

    def __init__(self, full: Source, miniso: Miniso, budget: Budget) -> None:
        self._full, self._digest = full, miniso.digest
        self._pieces: list[_Piece] = []
        try:
            self._rest = _unpacked(miniso.packed, budget)
            self._size = self._lay_out(miniso)
        except MalformedError as error:
            raise damaged(str(error)) from None
        self._starts = [piece.start for piece in self._pieces]

    @property
    def size(self) -> int:
        """The minimal ISO's size in bytes."""
        return self._size

    def extents(self) -> Iterator[Extent]:
        """All of it is data."""
        yield Extent(0, self._size, data=True)

    def read(self, offset: int, length: int) -> bytes:
        """Bytes of the minimal ISO."""
        parts, end = [], offset + length
        index = bisect_right(self._starts, offset) - 1
        while offset < end:
            piece = self._pieces[index]
            index += 1
            after = self._starts[index] if index < len(self._starts) else self._size
            at, count = piece.at + offset - piece.start, min(after, end) - offset
            parts.append(self._full.read(at, count) if piece.shared else self._rest[at : at + count])
            offset += count
        return b"".join(parts)

    def verify(self) -> None:
        """Read all of it; `miniso-iso-differs` if it is not the ISO that was packed."""
        digest = hashlib.sha256()
        for at in range(0, self._size, MIB):
            digest.update(self.read(at, min(MIB, self._size - at)))
        if digest.digest() != self._digest:
            raise BootimgError(
                "miniso-iso-differs",
                "the minimal ISO that the ISO gives is not the one that was packed: the ISO was changed",
                context=[f"SHA-256 {digest.hexdigest()}, expected {self._digest.hex()}"],
                hint="undo all changes with `bootimg iso reset`, or get the ISO again",
                exit_code=ExitCode.USAGE,
            )

    def _lay_out(self, miniso: Miniso) -> int:
        """Put the pieces in order; returns where the last one ends."""
        if sum(each.length for each in miniso.shared) > self._full.size:
            raise MalformedError("it shares more than the ISO has")
        position = used = 0
        for each in miniso.shared:
            if each.full * SECTOR + each.length > self._full.size:
                raise MalformedError("a file is after the ISO's end")
            if position < each.start:
                self._pieces.append(_Piece(position, used, shared=False))
                used += each.start - position
            self._pieces.append(_Piece(each.start, each.full * SECTOR, shared=True))
            position = each.end
        if used > len(self._rest):
            raise MalformedError("the compressed data is too short")
        if used < len(self._rest):
            self._pieces.append(_Piece(position, used, shared=False))
        return position + len(self._rest) - used


def _unpacked(packed: bytes, budget: Budget) -> bytearray:
    """What the minimal ISO has beside its shared files, which is held in memory."""
    found, where = bytearray(), "the packed part of a minimal ISO"
    for data in XzReader(BytesIO(packed)).rest():
        budget.hold(len(data), where)
        found += data
    return found
