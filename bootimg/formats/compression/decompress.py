"""Decompression of .gz, .xz and .zst, with the digests of the file and of its content.

A file with more than one member, stream or frame is refused, as coreos-installer refuses concatenated gzip.
"""

from __future__ import annotations

import lzma
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import zstandard
from isal import isal_zlib

from bootimg.errors import BootimgError
from bootimg.formats.compression.writer import Compressor
from bootimg.formats.output import Digest, Written
from bootimg.sizes import GIB, KIB
from bootimg.untrusted.files import open_regular

_CHUNK = 256 * KIB
SLICES = {Compressor.GZIP: 16 * KIB, Compressor.XZ: 2 * KIB, Compressor.ZSTD: KIB}
"""Compressed bytes at a time: for zeros the output is up to 1032, 7000 and 32768 times as large."""
_GZIP = 31
_MEMORY = GIB
"""The memory limit of xz in bytes; files of `xz -9` need 65 MiB."""
_MAGICS = {
    b"\x1f\x8b": Compressor.GZIP,
    b"\xfd7zXZ\0": Compressor.XZ,
    b"\x28\xb5\x2f\xfd": Compressor.ZSTD,
}
STREAM_ERRORS = (isal_zlib.IsalError, lzma.LZMAError, zstandard.ZstdError)
"""What `Stream.decompress` raises for damaged data."""


class Stream(Protocol):
    """The common interface of the three libraries."""

    @property
    def eof(self) -> bool:
        """Whether the stream's end was reached."""

    @property
    def unused_data(self) -> bytes:
        """The data after the stream's end."""

    def decompress(self, data: bytes, /) -> bytes:
        """Decompress `data`."""


def compressor_of(path: Path) -> Compressor:
    """The compressor of a file, detected from its first bytes."""
    with open_regular(path, block_device=True) as file:
        return compressor_of_data(file.read(max(map(len, _MAGICS))))


def compressor_of_data(data: bytes) -> Compressor:
    """The compressor of data, detected from its first bytes."""
    return next((kind for magic, kind in _MAGICS.items() if data.startswith(magic)), Compressor.NONE)


def decompress_stream(data: bytes, limit: int) -> tuple[bytes, bytes] | None:
    """The content of the compressed stream that `data` begins with, and the data after the stream.

    None if the stream is damaged or incomplete, or has more than `limit` bytes of content.
    """
    compressor = compressor_of_data(data)
    stream, plain = open_stream(compressor), bytearray()
    length = SLICES[compressor]
    for at in range(0, len(data), length):
        try:
            plain += stream.decompress(data[at : at + length])
        except STREAM_ERRORS:  # type: ignore[misc]
            return None
        if len(plain) > limit:
            return None
        if stream.eof:
            return bytes(plain), stream.unused_data + data[at + length :]
    return None


def is_compressed(path: Path) -> bool:
    """Whether a file is a .gz, .xz or .zst, detected from its first bytes."""
    return compressor_of(path) is not Compressor.NONE


class PlainReader:
    """Iterates over the uncompressed bytes of a file, compressed or not; a context manager.

    With `plain` the file is read without decompression, without `digests` nothing is hashed, and there is no
    `written()`.  A compressed file that ends too early, was changed
    or has data after its end is `compressed-file-damaged`, at the latest at the iterator's end.  Afterwards
    `written()` describes what was read.
    """

    def __init__(self, path: Path, *, plain: bool = False, digests: bool = True) -> None:
        self.path = path
        self.compressor = Compressor.NONE if plain else compressor_of(path)
        self._packed, self._plain = Digest(), Digest()
        self._digests = digests
        self._size = self._plain_size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._packed.__exit__(kind, error, trace)
        self._plain.__exit__(kind, error, trace)

    def __iter__(self) -> Iterator[bytes]:
        if self.compressor is Compressor.NONE:
            yield from self._chunks()
            return
        stream = open_stream(self.compressor)
        for data in self._decompressed(stream):
            if self._digests:
                self._plain.update(data)
            self._plain_size += len(data)
            yield data
        if not stream.eof:
            raise self._damaged("it ends too early")
        if stream.unused_data:
            raise self._damaged("data follows its end")

    @property
    def position(self) -> int:
        """The number of bytes of the file read so far."""
        return self._size

    def written(self) -> Written:
        """Sizes and digests of the file and, if it is compressed, of its content."""
        if self.compressor is Compressor.NONE:
            return Written(self.path, self._size, self._packed.hexdigest())
        plain = (self._plain_size, self._plain.hexdigest())
        return Written(self.path, self._size, self._packed.hexdigest(), *plain)

    def _chunks(self) -> Iterator[bytes]:
        with open_regular(self.path, block_device=True) as file:
            while chunk := file.read(_CHUNK):
                if self._digests:
                    self._packed.update(chunk)
                self._size += len(chunk)
                yield chunk

    def _decompressed(self, stream: Stream) -> Iterator[bytes]:
        """The uncompressed content in chunks of 256 KiB to 33 MiB."""
        plain = bytearray()
        for part in self._slices():
            if stream.eof:
                raise self._damaged("data follows its end")
            data = self._decompress(stream, part)
            if not plain and len(data) >= _CHUNK:
                # Zeros, most likely: copies of them would take longer than all else.
                yield data
                continue
            plain += data
            if len(plain) >= _CHUNK:
                yield bytes(plain)
                plain.clear()
        if plain:
            yield bytes(plain)

    def _slices(self) -> Iterator[bytes]:
        length = SLICES[self.compressor]
        for chunk in self._chunks():
            for at in range(0, len(chunk), length):
                yield chunk[at : at + length]

    def _decompress(self, stream: Stream, chunk: bytes) -> bytes:
        try:
            return stream.decompress(chunk)
        except STREAM_ERRORS as error:  # type: ignore[misc]
            raise self._damaged(str(error)) from None

    def _damaged(self, why: str) -> BootimgError:
        return BootimgError(
            "compressed-file-damaged",
            f"{self.path} cannot be decompressed: {why}",
            hint="download or build the file again",
        )


def open_stream(compressor: Compressor) -> Stream:
    """A decompressor of one stream; gzip's unless it is another's."""
    if compressor is Compressor.XZ:
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY)
    if compressor is Compressor.ZSTD:
        return zstandard.ZstdDecompressor().decompressobj()
    gzip: Stream = isal_zlib.decompressobj(_GZIP)
    return gzip
