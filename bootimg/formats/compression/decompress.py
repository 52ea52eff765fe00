"""Reading what was compressed: the plain bytes of a .gz, .xz or .zst, with the digests of both.

What holds more than one member, stream or frame is refused, as coreos-installer refuses joined gzip.
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

_CHUNK = 256 * KIB
# Compressed bytes at a time: of zeros they make up to 1032, 7000 and 32768 times as many.
_SLICES = {Compressor.GZIP: 16 * KIB, Compressor.XZ: 2 * KIB, Compressor.ZSTD: KIB}
_GZIP = 31
_MEMORY = GIB
"""What xz may want; `xz -9` makes files that want 65 MiB."""
_MAGICS = {
    b"\x1f\x8b": Compressor.GZIP,
    b"\xfd7zXZ\0": Compressor.XZ,
    b"\x28\xb5\x2f\xfd": Compressor.ZSTD,
}
_ERRORS = (isal_zlib.IsalError, lzma.LZMAError, zstandard.ZstdError)


class Stream(Protocol):
    """What the three libraries have in common."""

    @property
    def eof(self) -> bool:
        """Whether the stream's end was reached."""

    @property
    def unused_data(self) -> bytes:
        """What came behind it."""

    def decompress(self, data: bytes, /) -> bytes:
        """What `data` decompresses to."""


def compressor_of(path: Path) -> Compressor:
    """How a file is compressed, by its first bytes."""
    with path.open("rb") as file:
        start = file.read(max(map(len, _MAGICS)))
    return next((kind for magic, kind in _MAGICS.items() if start.startswith(magic)), Compressor.NONE)


def is_compressed(path: Path) -> bool:
    """Whether a file is a .gz, .xz or .zst, by its first bytes."""
    return compressor_of(path) is not Compressor.NONE


class PlainReader:
    """The plain bytes of a file, compressed or not, as an iterator; a context.

    With `plain` it is read as it is.  A compressed file that ends too early, that is changed or has
    something behind its end is `compressed-file-damaged`, at the latest at the iterator's end.  Then
    `written()` has what was read.
    """

    def __init__(self, path: Path, *, plain: bool = False) -> None:
        self.path = path
        self.compressor = Compressor.NONE if plain else compressor_of(path)
        self._packed, self._plain = Digest(), Digest()
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
        stream = _stream(self.compressor)
        for data in self._decompressed(stream):
            self._plain.update(data)
            self._plain_size += len(data)
            yield data
        if not stream.eof:
            raise self._damaged("it ends too early")
        if stream.unused_data:
            raise self._damaged("something follows its end")

    @property
    def position(self) -> int:
        """How many bytes of the file were read."""
        return self._size

    def written(self) -> Written:
        """Sizes and digests of the file and, where it is compressed, of what it holds."""
        if self.compressor is Compressor.NONE:
            return Written(self.path, self._size, self._packed.hexdigest())
        plain = (self._plain_size, self._plain.hexdigest())
        return Written(self.path, self._size, self._packed.hexdigest(), *plain)

    def _chunks(self) -> Iterator[bytes]:
        with self.path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                self._packed.update(chunk)
                self._size += len(chunk)
                yield chunk

    def _decompressed(self, stream: Stream) -> Iterator[bytes]:
        """What the file holds, 256 KiB or more at a time, and never more than 33 MiB."""
        plain = bytearray()
        for part in self._slices():
            if stream.eof:
                raise self._damaged("something follows its end")
            plain += self._decompress(stream, part)
            if len(plain) >= _CHUNK:
                yield bytes(plain)
                plain.clear()
        if plain:
            yield bytes(plain)

    def _slices(self) -> Iterator[bytes]:
        length = _SLICES[self.compressor]
        for chunk in self._chunks():
            for at in range(0, len(chunk), length):
                yield chunk[at : at + length]

    def _decompress(self, stream: Stream, chunk: bytes) -> bytes:
        try:
            return stream.decompress(chunk)
        except _ERRORS as error:  # type: ignore[misc]
            raise self._damaged(str(error)) from None

    def _damaged(self, why: str) -> BootimgError:
        return BootimgError(
            "compressed-file-damaged",
            f"{self.path} cannot be decompressed: {why}",
            hint="get or build the file again",
        )


def _stream(compressor: Compressor) -> Stream:
    if compressor is Compressor.XZ:
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY)
    if compressor is Compressor.ZSTD:
        return zstandard.ZstdDecompressor().decompressobj()
    gzip: Stream = isal_zlib.decompressobj(_GZIP)
    return gzip
