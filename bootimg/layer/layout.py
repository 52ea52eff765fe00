"""OCI image layouts on this machine: directories, and the same in an uncompressed tar (oci-archive).

They are read without skopeo: that would unpack a whole archive only to say its digest, and tell a
truncated archive from a damaged one in prose alone.  Format: the OCI image specification's "image layout".
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from bootimg.arch import Arch
from bootimg.errors import BootimgError, ExitCode
from bootimg.events import Step
from bootimg.layer.blobs import CHUNK, BlobStore, file_chunks
from bootimg.layer.entry import Kind
from bootimg.layer.image import Image, build_image, config_digest_of, hex_of
from bootimg.layer.reference import Reference, Transport
from bootimg.layer.selection import Descriptor, by_tag, check_usable, descriptors, instance
from bootimg.layer.tarformat import read_entries

_MAX_JSON = 16 << 20


class Layout(Protocol):
    """The files of an image layout."""

    def size(self, name: str) -> int | None:
        """Bytes of a file, or None if it is not there."""

    def chunks(self, name: str) -> Iterator[bytes]:
        """Its content."""


class DirectoryLayout:
    """An OCI directory."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def size(self, name: str) -> int | None:
        """Bytes of a file, or None if it is not there."""
        path = self._path / name
        return path.stat().st_size if path.is_file() else None

    def chunks(self, name: str) -> Iterator[bytes]:
        """Its content."""
        with (self._path / name).open("rb") as handle:
            yield from file_chunks(handle)


class ArchiveLayout:
    """An OCI archive: the tar of an OCI directory."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self._files = {
            entry.path: (entry.offset, entry.size) for entry in read_entries(data) if entry.kind is Kind.FILE
        }

    def size(self, name: str) -> int | None:
        """Bytes of a file, or None if it is not there."""
        return self._files[name][1] if name in self._files else None

    def chunks(self, name: str) -> Iterator[bytes]:
        """Its content."""
        offset, size = self._files[name]
        for start in range(offset, offset + size, CHUNK):
            yield self._data[start : min(start + CHUNK, offset + size)]


@contextmanager
def open_layout(reference: Reference) -> Iterator[Layout]:
    """The layout a reference names; `layer-not-oci` if it is something else."""
    path = Path(reference.name)
    if path.is_dir() or not path.stat().st_size:
        if reference.transport is Transport.ARCHIVE or not (path / "index.json").exists():
            raise _not_oci(path)
        yield DirectoryLayout(path)
        return
    with path.open("rb") as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if reference.transport is Transport.DIRECTORY:
            raise _not_oci(path)
        try:
            layout = ArchiveLayout(data)
        except BootimgError as error:
            if error.id == "layer-tar-malformed":
                raise _not_oci(path) from None
            raise
        if layout.size("index.json") is None:
            raise _not_oci(path)
        yield layout


def fetch_layout(reference: Reference, text: str, arch: Arch, store: BlobStore, step: Step) -> Image:
    """Copy the blobs the store lacks, each verified; returns the image for `arch`."""
    with open_layout(reference) as layout:

        def read(descriptor: Descriptor) -> bytes:
            return _small(layout, str(descriptor["digest"]), store)

        index = descriptors(b"".join(layout.chunks("index.json")))
        manifest = instance(by_tag(index, reference.tag, text), arch, text, read)
        config_digest = config_digest_of(manifest)
        image = build_image(text, manifest, _small(layout, config_digest, store), arch)
        check_usable(image)
        for blob in image.layers:
            if not store.has(blob.digest, blob.size):
                store.add(blob.digest, layout.chunks(_present(layout, blob.digest)), blob.size)
            step.advance(blob.size)
    return image


def _small(layout: Layout, digest: str, store: BlobStore) -> bytes:
    if not store.has(digest):
        name = _present(layout, digest)
        if (layout.size(name) or 0) > _MAX_JSON:
            raise _not_oci(Path(name))
        store.add(digest, layout.chunks(name))
    return store.read(digest)


def _present(layout: Layout, digest: str) -> str:
    name = f"blobs/sha256/{hex_of(digest)}"
    if layout.size(name) is None:
        raise BootimgError(
            "layer-blob-missing",
            f"the image lacks a blob its manifest names: {digest}",
            hint="the copy is incomplete: copy it again with `skopeo copy --preserve-digests`",
        )
    return name


def _not_oci(path: Path) -> BootimgError:
    return BootimgError(
        "layer-not-oci",
        f"{path} is neither an OCI archive nor an OCI directory",
        hint="make one with: skopeo copy --preserve-digests SOURCE oci-archive:FILE",
        exit_code=ExitCode.USAGE,
    )
