"""Compression in the same pass: hashes a writer's bytes, compresses them, hashes the result and writes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import zstandard

from bootimg.atomic import whole_file
from bootimg.formats.compression.gzipwrite import GzipCodec
from bootimg.formats.compression.parallel import processors
from bootimg.formats.compression.xzwrite import XzCodec
from bootimg.formats.output import Digest, DigestingFile, Output, Written
from bootimg.sizes import MIB

_ZSTD_LEVEL = 10
_ZEROS = bytes(MIB)


class Compressor(StrEnum):
    """The compressor of an artifact; the values are those of image.json's `compressor`."""

    NONE = "none"
    GZIP = "gzip"
    XZ = "xz"
    ZSTD = "zstd"

    @property
    def suffix(self) -> str:
        """The suffix of a file's name, with the dot."""
        return {"none": "", "gzip": ".gz", "xz": ".xz", "zstd": ".zst"}[self]


@dataclass(frozen=True, slots=True)
class Packing:
    """The compressor of a writer's output, and the number of threads for it and for the format."""

    compressor: Compressor = Compressor.NONE
    threads: int = field(default_factory=processors)


class Codec(Protocol):
    """A compressor that passes its output on."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def write(self, data: bytes) -> None:
        """Compress `data`."""

    def skip(self, length: int) -> None:
        """Compress `length` zeros."""

    def finish(self) -> None:
        """End the stream."""


class ZstdCodec:
    """zstd as one frame, on libzstd's own threads."""

    def __init__(self, put: Callable[[bytes], None], threads: int) -> None:
        self._put = put
        packer = zstandard.ZstdCompressor(
            level=_ZSTD_LEVEL, threads=threads, write_checksum=True, write_content_size=False
        )
        self._stream = packer.compressobj()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def write(self, data: bytes) -> None:
        """Compress `data`."""
        self._put(self._stream.compress(data))

    def skip(self, length: int) -> None:
        """Compress zeros."""
        for done in range(0, length, MIB):
            self.write(_ZEROS[: min(MIB, length - done)])

    def finish(self) -> None:
        """End the frame."""
        self._put(self._stream.flush())


_CODECS: dict[Compressor, Callable[[Callable[[bytes], None], int], Codec]] = {
    Compressor.GZIP: GzipCodec,
    Compressor.XZ: XzCodec,
    Compressor.ZSTD: ZstdCodec,
}


class CompressedFile:
    """Hashes its input and compresses it into a file that is hashed too."""

    def __init__(self, codec: Codec, file: DigestingFile, digest: Digest) -> None:
        self._codec, self._file, self._digest = codec, file, digest
        self.position = 0

    def write(self, data: bytes) -> None:
        """Append `data`."""
        self._digest.update(data)
        self._codec.write(data)
        self.position += len(data)

    def skip(self, length: int) -> None:
        """Append zeros."""
        self._digest.zeros(length)
        self._codec.skip(length)
        self.position += length

    def digest(self) -> str:
        """The SHA-256 of the uncompressed input."""
        return self._digest.hexdigest()

    def finish(self, path: Path) -> Written:
        """Both sizes and digests."""
        self._codec.finish()
        packed = self._file.finish(path)
        return Written(path, packed.size, packed.sha256, self.position, self.digest())


@contextmanager
def open_output(out: Path, packing: Packing, need: int | None = None) -> Iterator[Output]:
    """The output of a writer: `out`, written atomically through the compressor of `packing`.

    `need` is the uncompressed size in bytes, for the error `no-space-left`.
    """
    plain = packing.compressor is Compressor.NONE
    with whole_file(out, need=need if plain else None) as handle, DigestingFile(handle) as file:
        if plain:
            yield file
            return
        codec = _CODECS[packing.compressor](file.write, packing.threads)
        with codec, Digest() as digest:
            yield CompressedFile(codec, file, digest)
