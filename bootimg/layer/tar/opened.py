"""A layer's tar: decompressed once into the cache, verified, and listed.

`tars/<diff_id>.tar` is the tar, `index/<diff_id>.jsonl` has its entries.  A file of the image is later read
from the tar, at the entry's offset.
"""

from __future__ import annotations

import hashlib
import io
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from bootimg.cache import Cache
from bootimg.errors import BootimgError
from bootimg.events import Step
from bootimg.layer.image.blobs import CHUNK, BlobStore, digest_mismatch, replacing
from bootimg.layer.image.fetched import Blob, hex_of
from bootimg.layer.tar.damaged import malformed_tar, truncated
from bootimg.layer.tar.decompress import ERRORS, HEAD, Compression, compression_of, plain_reader
from bootimg.layer.tar.entry import Entry
from bootimg.layer.tar.index import read_index, write_index
from bootimg.layer.tar.tarformat import read_entries
from bootimg.untrusted.budget import Budget


@dataclass(frozen=True, slots=True)
class LayerTar:
    """One layer, decompressed and listed."""

    diff_id: str
    path: Path
    entries: tuple[Entry, ...]


def open_layer(blob: Blob, number: int, cache: Cache, budget: Budget, step: Step | None = None) -> LayerTar:
    """The layer's tar and its entries; made if the cache lacks them.

    The budget is charged for both, whether the cache has them or not; it knows the size of the blob already.
    """
    name = hex_of(blob.diff_id)
    tar, index = _paths(blob, cache)
    with cache.locked(f"tar-{name}"):
        if not tar.exists():
            _decompress(blob, tar, BlobStore(cache), budget, step)
        else:
            budget.unpack(tar.stat().st_size, f"the layer {blob.digest}")
            if step:
                step.advance(blob.size)
        with budget.working():
            entries = _entries(tar, index, number, budget)
    return LayerTar(blob.diff_id, tar, entries)


def _entries(tar: Path, index: Path, number: int, budget: Budget) -> tuple[Entry, ...]:
    found = read_index(index, number, budget)
    if found is None:
        found = _list(tar, number, budget)
        write_index(index, found)
    return found


def is_open(blob: Blob, cache: Cache) -> bool:
    """Whether the layer's tar and its entries are in the cache."""
    return all(path.exists() for path in _paths(blob, cache))


def _paths(blob: Blob, cache: Cache) -> tuple[Path, Path]:
    name = hex_of(blob.diff_id)
    return cache.root / "tars" / f"{name}.tar", cache.root / "index" / f"{name}.jsonl"


def _decompress(blob: Blob, tar: Path, store: BlobStore, budget: Budget, step: Step | None) -> None:
    check, where = hashlib.sha256(), f"the layer {blob.digest}"
    with _reading(store.path(blob.digest), step) as source, replacing(tar) as output:
        try:
            for chunk in _decompressed(source, blob):
                budget.unpack(len(chunk), where)
                check.update(chunk)
                output.write(chunk)
            source.drain()
        except ERRORS as error:
            # The blob's digest tells a damaged blob from one that was made this way.
            source.drain()
            store.check(blob.digest, source.digest.hexdigest())
            if isinstance(error, OSError) and error.errno:
                raise
            raise malformed_tar(f"{blob.digest} does not decompress ({error})") from None
        store.check(blob.digest, source.digest.hexdigest())
        if check.hexdigest() != hex_of(blob.diff_id):
            raise digest_mismatch(blob.diff_id, f"sha256:{check.hexdigest()} in the layer {blob.digest}")


class _Hashed(io.RawIOBase):
    """A file whose bytes are hashed and counted while it is read."""

    def __init__(self, handle: IO[bytes], step: Step | None) -> None:
        self._handle, self._step = handle, step
        self.digest = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401
        data = self._handle.read(len(buffer))
        buffer[: len(data)] = data
        self.digest.update(data)
        if self._step:
            self._step.advance(len(data))
        return len(data)

    def peek(self) -> bytes:
        data = self._handle.read(HEAD)
        self._handle.seek(0)
        return data

    def drain(self) -> None:
        """Read what the decompressor did not read, so that the digest covers the whole file."""
        while self.read(CHUNK):
            pass


@contextmanager
def _reading(path: Path, step: Step | None) -> Iterator[_Hashed]:
    with path.open("rb") as handle:
        yield _Hashed(handle, step)


def _decompressed(source: _Hashed, blob: Blob) -> Iterator[bytes]:
    # By the first bytes of the content, because the media types of mirrored images are unreliable.
    compression = compression_of(source.peek())
    if compression in (Compression.BZIP2, Compression.XZ):
        raise _unsupported(blob, compression)
    reader = plain_reader(cast("IO[bytes]", source), compression)
    while chunk := reader.read(CHUNK):
        yield chunk


def _unsupported(blob: Blob, compression: Compression) -> BootimgError:
    return BootimgError(
        "layer-compression-unsupported",
        f"the layer {blob.digest} is compressed by {compression}",
        note="the OCI specification allows layers that are uncompressed or compressed by gzip or zstd",
        hint="copy the image: skopeo copy --dest-compress-format zstd --dest-compress … oci:DIR:TAG",
    )


def _list(tar: Path, number: int, budget: Budget) -> tuple[Entry, ...]:
    entries: list[Entry] = []
    with tar.open("rb") as handle:
        if not os.fstat(handle.fileno()).st_size:
            raise truncated()
        with mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as data:
            for entry in read_entries(data, budget, number):
                budget.name(entry.text, entry.path)
                entries.append(entry)
    return tuple(entries)
