"""A layer's tar: decompressed once into the cache, verified, and listed.

`tars/<diff_id>.tar` is the tar, `index/<diff_id>.json` has its entries.  A file of the image is later read
from the tar, at the entry's offset.
"""

from __future__ import annotations

import hashlib
import io
import json
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
from bootimg.layer.tar.decompress import ERRORS, HEAD, Compression, compression_of, plain_reader
from bootimg.layer.tar.entry import Entry, Kind
from bootimg.layer.tar.tarformat import MAX_ENTRIES, malformed_tar, read_entries, truncated

MAX_TAR = 64 << 30
"""The most bytes of one layer's tar."""
MAX_RATIO = 100
"""How many times larger than its blob a tar above `FREE_TAR` bytes may be."""
FREE_TAR = 1 << 30
_INDEX_FORMAT = 2
_RELEASE_EVERY = 256


@dataclass(frozen=True, slots=True)
class LayerTar:
    """One layer, decompressed and listed."""

    diff_id: str
    path: Path
    entries: tuple[Entry, ...]


def open_layer(blob: Blob, number: int, cache: Cache, step: Step | None = None) -> LayerTar:
    """The layer's tar and its entries; made if the cache lacks them."""
    name = hex_of(blob.diff_id)
    tar, index = _paths(blob, cache)
    with cache.locked(f"tar-{name}"):
        if not tar.exists():
            _decompress(blob, tar, BlobStore(cache), step)
        elif step:
            step.advance(blob.size)
        entries = _read_index(index, number) if index.exists() else None
        if entries is None:
            entries = _list(tar, number)
            _write_index(index, entries)
    return LayerTar(blob.diff_id, tar, entries)


def is_open(blob: Blob, cache: Cache) -> bool:
    """Whether the layer's tar and its entries are in the cache."""
    return all(path.exists() for path in _paths(blob, cache))


def _paths(blob: Blob, cache: Cache) -> tuple[Path, Path]:
    name = hex_of(blob.diff_id)
    return cache.root / "tars" / f"{name}.tar", cache.root / "index" / f"{name}.json"


def _decompress(blob: Blob, tar: Path, store: BlobStore, step: Step | None) -> None:
    limit = plain_limit(blob.size)
    check = hashlib.sha256()
    with _reading(store.path(blob.digest), step) as source, replacing(tar) as output:
        total = 0
        try:
            for chunk in _decompressed(source, blob):
                total += len(chunk)
                if total > limit:
                    raise _too_large(blob, limit)
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


def plain_limit(packed: int) -> int:
    """The most bytes that `packed` compressed bytes may decompress to."""
    return min(MAX_TAR, max(FREE_TAR, MAX_RATIO * packed))


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


def _too_large(blob: Blob, limit: int) -> BootimgError:
    return BootimgError(
        "layer-too-large",
        f"the layer {blob.digest} decompresses to more than {limit >> 20} MiB",
        note=f"its blob has {blob.size} bytes: a normal layer does not compress to a hundredth of its size",
        hint="the image is made to fill this machine's disk, or holds a huge empty file: remove that file",
    )


def _list(tar: Path, number: int) -> tuple[Entry, ...]:
    entries: list[Entry] = []
    with tar.open("rb") as handle:
        if not os.fstat(handle.fileno()).st_size:
            raise truncated()
        with mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as data:
            for entry in read_entries(data, number):
                entries.append(entry)
                check_count(len(entries))
                if len(entries) % _RELEASE_EVERY == 0:
                    # Reading a header brings 64 KiB of the tar into this process's memory.
                    data.madvise(mmap.MADV_DONTNEED)
    return tuple(entries)


def check_count(count: int) -> None:
    """Refuse more files than `MAX_ENTRIES`."""
    if count > MAX_ENTRIES:
        raise BootimgError(
            "layer-too-many-entries",
            f"the image has more than {MAX_ENTRIES} files",
            hint="bootable images have about a hundred thousand files: find out what filled this one",
        )


def _write_index(path: Path, entries: tuple[Entry, ...]) -> None:
    rows = [
        [e.path, e.kind.value, e.mode, e.uid, e.gid, e.size, e.mtime,
         [[name, value.hex()] for name, value in e.xattrs], e.target, e.offset]
        for e in entries
    ]  # fmt: skip
    with replacing(path) as output:
        output.write(json.dumps([_INDEX_FORMAT, rows], separators=(",", ":")).encode())


def _read_index(path: Path, number: int) -> tuple[Entry, ...] | None:
    found, rows = json.loads(path.read_bytes())
    if found != _INDEX_FORMAT:
        return None
    return tuple(
        Entry(name, Kind(kind), mode, uid, gid, size, mtime,
              tuple((key, bytes.fromhex(value)) for key, value in xattrs), target, number, offset)
        for name, kind, mode, uid, gid, size, mtime, xattrs, target, offset in rows
    )  # fmt: skip
