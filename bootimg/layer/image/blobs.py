"""The blobs of images in the cache: `blobs/sha256/<hex>`, each checked when it is written and read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from bootimg.atomic import whole_file
from bootimg.cache import Cache
from bootimg.errors import BootimgError
from bootimg.layer.image.fetched import Blob, Image, digest_of, hex_of

CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class BlobStore:
    """Content by digest.  A blob is stored completely or not at all."""

    cache: Cache

    @property
    def folder(self) -> Path:
        """The folder that has the blobs as `sha256/<hex>`, for `skopeo --dest-shared-blob-dir`."""
        return self.cache.folder("blobs/sha256").parent

    def path(self, digest: str) -> Path:
        """The path of the blob, whether the store has it or not."""
        return self.cache.root / "blobs" / "sha256" / hex_of(digest)

    def has(self, digest: str, size: int | None = None) -> bool:
        """Whether the store has the blob, with this size if one is given."""
        try:
            found = self.path(digest).stat().st_size
        except FileNotFoundError:
            return False
        return size is None or found == size

    def lacking(self, image: Image) -> list[Blob]:
        """The layers that the store lacks, each once."""
        return list(
            {blob.digest: blob for blob in image.layers if not self.has(blob.digest, blob.size)}.values()
        )

    def add(self, digest: str, chunks: Iterable[bytes], size: int | None = None) -> Path:
        """Store a blob; `layer-digest-mismatch` if the bytes do not match the digest and size."""
        path = self.path(digest)
        with replacing(path) as output:
            check = hashlib.sha256()
            done = 0
            for chunk in chunks:
                check.update(chunk)
                done += len(chunk)
                if size is not None and done > size:
                    break
                output.write(chunk)
            if check.hexdigest() != path.name or size not in (None, done):
                raise digest_mismatch(digest, f"sha256:{check.hexdigest()}, {done} bytes")
        return path

    def read(self, digest: str) -> bytes:
        """A small blob (a manifest, a config), verified."""
        data = self.path(digest).read_bytes()
        self.check(digest, hashlib.sha256(data).hexdigest())
        return data

    def check(self, digest: str, found: str) -> None:
        """Delete the blob and raise if the sha256 of its content (`found`, hexadecimal) is not its digest."""
        if found != hex_of(digest):
            self.path(digest).unlink(missing_ok=True)
            raise digest_mismatch(digest, f"sha256:{found}")


def verified(digest: str, data: bytes) -> bytes:
    """The data, if it has that digest."""
    if digest_of(data) != digest:
        raise digest_mismatch(digest, digest_of(data))
    return data


def digest_mismatch(digest: str, found: str) -> BootimgError:
    """The error for content that does not match its digest."""
    return BootimgError(
        "layer-digest-mismatch",
        f"content of the image does not match its digest {digest}",
        context=[f"found {found}"],
        hint="the copy is damaged: fetch the image again; the bad blob is not kept",
    )


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A new file that replaces `path` if the body ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as output:
        yield output


def file_chunks(handle: IO[bytes], size: int | None = None) -> Iterator[bytes]:
    """The next `size` bytes of a file, or all to its end."""
    left = size
    while left is None or left > 0:
        data = handle.read(CHUNK if left is None else min(CHUNK, left))
        if not data:
            return
        if left is not None:
            left -= len(data)
        yield data
