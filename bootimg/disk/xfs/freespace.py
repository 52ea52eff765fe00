"""The free space of an allocation group: pieces in the order of their places."""

from __future__ import annotations

from collections.abc import Iterable


class FreeSpace:
    """What is free in a group, in blocks; pieces are taken from the first place that is large enough."""

    def __init__(self, pieces: Iterable[tuple[int, int]]) -> None:
        self.pieces = sorted(pieces)
        self.blocks = sum(length for _, length in self.pieces)

    @property
    def largest(self) -> int:
        """The length of the longest piece."""
        return max((length for _, length in self.pieces), default=0)

    def take(self, blocks: int, alignment: int = 1) -> int | None:
        """Take `blocks` in one piece and return its start; None where no piece is long enough."""
        for index, (start, length) in enumerate(self.pieces):
            at = -(-start // alignment) * alignment
            if at + blocks <= start + length:
                rest = ((start, at - start), (at + blocks, start + length - at - blocks))
                self.pieces[index : index + 1] = [piece for piece in rest if piece[1]]
                self.blocks -= blocks
                return at
        return None

    def take_most(self, blocks: int) -> tuple[int, int] | None:
        """Take `blocks`, or as many as the longest piece has: (start, length)."""
        length = min(blocks, self.largest)
        start = self.take(length) if length else None
        return None if start is None else (start, length)
