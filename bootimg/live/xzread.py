"""Reads an xz stream in the middle of a file, in pieces of bounded size."""

from __future__ import annotations

import lzma
from collections.abc import Iterator
from typing import BinaryIO

from bootimg.live.malformed import MalformedError
from bootimg.sizes import KIB, MIB

_INPUT = 64 * KIB
_MOST = MIB
_MEMORY = 128 * MIB
"""Bytes of memory for the decoder; streams of `xz -9` need 65 MiB."""


class XzReader:
    """The content of the xz stream that begins at the file's position; MalformedError if it is damaged."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._stream = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY)

    def pieces(self, length: int) -> Iterator[bytes]:
        """The next `length` bytes, at most a MiB at a time."""
        while length:
            data = self._read(min(length, _MOST))
            if not data:
                raise MalformedError("the compressed data is too short")
            length -= len(data)
            yield data

    def rest(self) -> Iterator[bytes]:
        """All that is left, at most a MiB at a time."""
        while data := self._read(_MOST):
            yield data
        self.finish()

    def finish(self) -> None:
        """Refuse more content, and data after the stream."""
        if self._read(1) or not self._stream.eof or self._stream.unused_data or self._file.read(1):
            raise MalformedError("there is more data than there should be")

    def _read(self, most: int) -> bytes:
        """At least one byte, none at the end of the stream."""
        while not self._stream.eof:
            data = self._file.read(_INPUT) if self._stream.needs_input else b""
            if self._stream.needs_input and not data:
                raise MalformedError("the compressed data ends too early")
            try:
                found = self._stream.decompress(data, most)
            except lzma.LZMAError as error:
                raise MalformedError(f"the compressed data is damaged: {error}") from None
            if found:
                return found
        return b""
