"""The content of a compressed stream inside a file, as a file that is read forwards only."""

from __future__ import annotations

from typing import BinaryIO

from bootimg.formats.compression.decompress import SLICES, STREAM_ERRORS, compressor_of_data, open_stream
from bootimg.formats.compression.writer import Compressor
from bootimg.live.cpioread import malformed
from bootimg.untrusted.budget import Budget

_MAGIC = 6
_STEPS = 100
"""What a stream costs that has no content, in steps of a look-up."""
_WHERE = "a compressed stream of an initramfs"


class StreamFile:
    """The stream that begins at `start` of a file; raises `live-archive-malformed`, `image-over-budget`.

    The budget knows the size of the file.
    """

    def __init__(self, file: BinaryIO, start: int, budget: Budget) -> None:
        self._file, self._at, self._budget = file, start, budget
        budget.steps(_STEPS, _WHERE)
        file.seek(start)
        compressor = compressor_of_data(file.read(_MAGIC))
        if compressor is Compressor.NONE:
            raise malformed(start, "there is neither an archive nor a stream of gzip, xz or zstd")
        self._stream, self._slice = open_stream(compressor), SLICES[compressor]
        self._ready = bytearray()
        self._position = 0

    @property
    def end(self) -> int:
        """The byte of the file after the stream; all of the content must have been read."""
        return self._at - len(self._stream.unused_data)

    def read(self, size: int, /) -> bytes:
        """The next `size` bytes; fewer at the end of the content."""
        while len(self._ready) < size and self._unpack():
            pass
        data = bytes(self._ready[:size])
        del self._ready[:size]
        self._position += len(data)
        return data

    def seek(self, offset: int, /) -> int:
        """Go forward to a byte of the content, or to its end; ValueError for a way back."""
        if offset < self._position:
            raise ValueError(f"byte {offset} is before {self._position}")
        while self._position < offset and (self._ready or self._unpack()):
            count = min(offset - self._position, len(self._ready))
            del self._ready[:count]
            self._position += count
        return self._position

    def tell(self) -> int:
        """The number of bytes of the content that were read."""
        return self._position

    def _unpack(self) -> bool:
        """Unpack more; False at the end."""
        if self._stream.eof:
            return False
        self._file.seek(self._at)
        data = self._file.read(self._slice)
        if not data:
            raise malformed(self._at, "a compressed stream ends too early")
        self._at += len(data)
        try:
            found = self._stream.decompress(data)
        except STREAM_ERRORS as error:  # type: ignore[misc]
            raise malformed(self._at, f"a compressed stream is damaged: {error}") from None
        self._budget.unpack(len(found), _WHERE)
        self._ready += found
        return True
