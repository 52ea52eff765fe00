"""Keeps long runs of zeros apart from the data that is compressed."""

from __future__ import annotations

from bootimg.disk.extents import is_zero
from bootimg.formats.compression.xzwrite import SMALL_BLOCK, XzCodec


class ZerosApart:
    """Passes data to a codec, and each SMALL_BLOCK of the stream that is zeros as a block of its own.

    The output depends only on the stream: zeros may be written or skipped.
    """

    def __init__(self, codec: XzCodec) -> None:
        self._codec = codec
        self._unit = bytearray()
        self._zeros = 0

    def write(self, data: bytes) -> None:
        """Append data."""
        done = 0
        while done < len(data):
            part = data[done : done + SMALL_BLOCK - len(self._unit)]
            self._unit += part
            done += len(part)
            if len(self._unit) == SMALL_BLOCK:
                self._pass_on()

    def skip(self, length: int) -> None:
        """Append zeros."""
        head = min(length, -len(self._unit) % SMALL_BLOCK)
        self.write(bytes(head))
        whole, rest = divmod(length - head, SMALL_BLOCK)
        self._zeros += whole * SMALL_BLOCK
        self.write(bytes(rest))

    def finish(self) -> None:
        """Pass on what is left, and finish the codec."""
        self._pass_on()
        self._pass_on_zeros()
        self._codec.finish()

    def _pass_on(self) -> None:
        unit = bytes(self._unit)
        self._unit.clear()
        if len(unit) == SMALL_BLOCK and is_zero(unit):
            self._zeros += SMALL_BLOCK
        elif unit:
            self._pass_on_zeros()
            self._codec.write(unit)

    def _pass_on_zeros(self) -> None:
        if self._zeros:
            self._codec.zero_blocks(self._zeros)
            self._zeros = 0
