"""An OCI archive of a fetched image: the very manifest, config and blobs, by the same digests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from bootimg.cache import Cache
from bootimg.layer.image.blobs import BlobStore, digest_mismatch, file_chunks, replacing
from bootimg.layer.image.fetched import OCI_INDEX, Image, hex_of
from bootimg.layer.tar.entry import Entry, Kind
from bootimg.layer.tar.squashfs import write_squashfs
from bootimg.layer.tar.tarwriter import member
from bootimg.tarstream import END, padding

_LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'


def write_ociarchive(image: Image, cache: Cache, output: Path) -> tuple[str, int]:
    """Write the archive; returns its sha256 (hexadecimal) and its size in bytes.

    The same image gives the same bytes.  Each blob is verified as it is copied.
    """
    check, size = hashlib.sha256(), 0
    with replacing(output) as target:
        for piece in _pieces(image, cache):
            check.update(piece)
            size += len(piece)
            target.write(piece)
    return check.hexdigest(), size


def write_layout_image(image: Image, cache: Cache, output: Path) -> None:
    """Write a read-only file system image that is the image's OCI layout, as the archive has it."""
    write_squashfs(_pieces(image, cache), output)


def _pieces(image: Image, cache: Cache) -> Iterator[bytes]:
    store = BlobStore(cache)
    yield from _file("oci-layout", _LAYOUT)
    yield from _file("index.json", _index(image))
    for name in ("blobs", "blobs/sha256"):
        yield member(Entry(name, Kind.DIRECTORY, 0o755, 0, 0))
    small = {image.digest: image.manifest, image.config_digest: image.config}
    # An image may have the same layer twice, and an archive has each blob once.
    sizes = {blob.digest: blob.size for blob in image.layers}
    for digest in sorted({*small, *sizes}):
        name = f"blobs/sha256/{hex_of(digest)}"
        if digest in small:
            yield from _file(name, small[digest])
        else:
            yield member(Entry(name, Kind.FILE, 0o644, 0, 0, sizes[digest]))
            yield from _blob(store, digest, sizes[digest])
            yield padding(sizes[digest])
    yield END


def _index(image: Image) -> bytes:
    descriptor = {
        "mediaType": image.media_type,
        "digest": image.digest,
        "size": len(image.manifest),
        "platform": {"architecture": image.arch.oci, "os": "linux"},
    }
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [descriptor]}
    return json.dumps(document, separators=(",", ":")).encode()


def _file(name: str, data: bytes) -> Iterator[bytes]:
    yield member(Entry(name, Kind.FILE, 0o644, 0, 0, len(data)))
    yield data + padding(len(data))


def _blob(store: BlobStore, digest: str, size: int) -> Iterator[bytes]:
    check, done = hashlib.sha256(), 0
    with store.path(digest).open("rb") as handle:
        for chunk in file_chunks(handle):
            check.update(chunk)
            done += len(chunk)
            yield chunk
    if done != size:
        raise digest_mismatch(digest, f"{done} bytes")
    store.check(digest, check.hexdigest())
