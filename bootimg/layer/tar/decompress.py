"""Detecting the compression of a layer or an archive by its first bytes, and reading its content."""

from __future__ import annotations

import bz2
import lzma
import zlib
from enum import StrEnum
from typing import IO, Any, Protocol

import zstandard
from isal import igzip, igzip_lib

HEAD = 6
"""The number of bytes that `compression_of` needs."""
ERRORS: tuple[type[Exception], ...] = (
    zlib.error,
    igzip_lib.IsalError,  # type: ignore[assignment]
    zstandard.ZstdError,
    lzma.LZMAError,
    OSError,
    EOFError,
    # igzip: a header of gzip, with the file's name in it, is larger than its buffer.
    OverflowError,
)
"""The errors that readers raise for content that is damaged or ends too early."""
_WINDOW = 1 << 27
_XZ_MEMORY, _XZ_PIECE = 1 << 28, 1 << 16
"""Bytes; files of `xz -9` need 65 MiB."""
_MARKS = ((b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"BZh", "bzip2"), (b"\xfd7zXZ\0", "xz"))
_SKIPPABLE = b"\x2a\x4d\x18"
"""The last three bytes of the mark of a skippable frame (RFC 8878, 3.1.2); the first is 0x50 to 0x5f."""


class Compression(StrEnum):
    """The compressions that skopeo knows."""

    NONE = "none"
    GZIP = "gzip"
    ZSTD = "zstd"
    BZIP2 = "bzip2"
    XZ = "xz"


class Reader(Protocol):
    """A stream of decompressed bytes."""

    def read(self, size: int, /) -> bytes:
        """The next `size` bytes at most; none at the end."""


def compression_of(head: bytes) -> Compression:
    """The compression of a file that begins with these bytes."""
    if head[1:4] == _SKIPPABLE and head[0] & 0xF0 == 0x50:
        return Compression.ZSTD
    return next((Compression(name) for mark, name in _MARKS if head.startswith(mark)), Compression.NONE)


def plain_reader(source: IO[bytes], compression: Compression) -> Reader:
    """A reader of all members, streams or frames of `source`; its `read` raises one of `ERRORS`."""
    reader: Any = source
    if compression is Compression.GZIP:
        reader = igzip.IGzipFile(fileobj=source, mode="rb")  # type: ignore[no-untyped-call]
    elif compression is Compression.ZSTD:
        decompressor = zstandard.ZstdDecompressor(max_window_size=_WINDOW)
        reader = decompressor.stream_reader(source, read_across_frames=True)
    elif compression is Compression.BZIP2:
        reader = bz2.BZ2File(source)
    elif compression is Compression.XZ:
        reader = _XzReader(source)
    found: Reader = reader
    return found


class _XzReader:
    """All streams of an xz file, with a bound on the memory that its header may ask for."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self._stream = self._next()
        self._rest = b""

    def _next(self) -> lzma.LZMADecompressor:
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)

    def read(self, size: int, /) -> bytes:
        """The next `size` bytes at most; none at the end."""
        while True:
            if self._stream.eof:
                # Streams may have zeros after them.
                self._rest = self._stream.unused_data.lstrip(b"\0") or self._more().lstrip(b"\0")
                if not self._rest:
                    return b""
                self._stream = self._next()
            if self._stream.needs_input and not self._rest:
                self._rest = self._more()
                if not self._rest:
                    raise EOFError("a stream of xz ends too early")
            data, self._rest = self._stream.decompress(self._rest, size), b""
            if data:
                return data

    def _more(self) -> bytes:
        return self._source.read(_XZ_PIECE)
