"""Local OCI image layouts: directories, and tars of them (oci-archive), compressed or not.

They are read without skopeo.  skopeo would unpack a whole archive only to compute its digest, and only the
text of its messages distinguishes a truncated archive from a damaged one.  Format: the OCI image
specification's "image layout".
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Protocol

from bootimg.arch import Arch
from bootimg.atomic import require_space, temporary_folder
from bootimg.errors import BootimgError, ExitCode
from bootimg.events import Step
from bootimg.layer.fetching.packedarchive import Scratch, plain_archive
from bootimg.layer.fetching.skopeo import scratch
from bootimg.layer.image.blobs import CHUNK, BlobStore, file_chunks, verified
from bootimg.layer.image.fetched import Blob, Image, build_image, config_digest_of, hex_of
from bootimg.layer.image.manifestchoice import Check, by_tag, descriptors, instance
from bootimg.layer.image.reference import Reference, Transport
from bootimg.layer.tar.entry import Kind
from bootimg.layer.tar.tarformat import BLOCK, is_tar, read_entries

_MAX_JSON = 16 << 20


class OciLayout(Protocol):
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

    def __init__(self, descriptor: int, data: mmap.mmap) -> None:
        self._descriptor = descriptor
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
            # Not through the mapping: pages that are read there stay in this process's memory.
            yield os.pread(self._descriptor, min(CHUNK, offset + size - start), start)


@contextmanager
def open_layout(reference: Reference, scratch: Scratch) -> Iterator[OciLayout]:
    """The layout a reference names.  Errors: `layer-not-oci`, `layer-unreadable`.

    A compressed archive is decompressed into a folder that `scratch` makes.
    """
    path = Path(reference.name)
    if not os.access(path, os.R_OK):
        raise _unreadable(path)
    if path.is_dir() or not path.stat().st_size:
        if reference.transport is Transport.ARCHIVE or not (path / "index.json").exists():
            raise _not_oci(path)
        yield DirectoryLayout(path)
        return
    if reference.transport is Transport.DIRECTORY or not path.is_file():
        raise _not_oci(path)
    with plain_archive(path, scratch) as plain, _archive(plain, path) as layout:
        yield layout


@contextmanager
def _archive(plain: Path, path: Path) -> Iterator[OciLayout]:
    if not plain.stat().st_size:
        raise _not_oci(path)
    with plain.open("rb") as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            layout = ArchiveLayout(handle.fileno(), data)
        except BootimgError as error:
            # A file that does not begin as a tar is not a truncated archive.
            if error.id == "layer-tar-malformed" or not is_tar(data[:BLOCK]):
                raise _not_oci(path) from None
            raise
        if layout.size("index.json") is None:
            raise _not_oci(path)
        yield layout


def inspect_layout(reference: Reference, text: str, arch: Arch) -> Image:
    """The image for `arch` by its manifest and config, both verified; nothing else is read."""
    with open_layout(reference, partial(temporary_folder, "bootimg-inspect-")) as layout:
        return _describe(layout, reference, text, arch, partial(_document, layout))


def fetch_layout(
    reference: Reference, text: str, arch: Arch, store: BlobStore, step: Step, check: Check
) -> Image:
    """Copy the blobs the store lacks, each verified; returns the image for `arch`."""
    with open_layout(reference, partial(scratch, store.cache)) as layout:

        def read(digest: str) -> bytes:
            if not store.has(digest):
                store.add(digest, [_document(layout, digest)])
            return store.read(digest)

        image = _describe(layout, reference, text, arch, read)
        check(image)
        lacking = store.lacking(image)
        require_space(store.folder, sum(blob.size for blob in lacking))
        for blob in lacking:
            store.add(blob.digest, layout.chunks(_present(layout, blob.digest)), blob.size)
            step.advance(blob.size)
    return image


def fetch_layout_blob(reference: Reference, blob: Blob, store: BlobStore) -> None:
    """Copy one blob from the layout into the store and verify it."""
    with open_layout(reference, partial(scratch, store.cache)) as layout:
        store.add(blob.digest, layout.chunks(_present(layout, blob.digest)), blob.size)


def _describe(
    layout: OciLayout, reference: Reference, text: str, arch: Arch, read: Callable[[str], bytes]
) -> Image:
    index = descriptors(b"".join(layout.chunks("index.json")))
    found = by_tag(index, reference.tag, text)
    manifest = instance(found, arch, text, lambda descriptor: read(str(descriptor["digest"])))
    return build_image(text, manifest, read(config_digest_of(manifest)), arch)


def _document(layout: OciLayout, digest: str) -> bytes:
    name = _present(layout, digest)
    if (layout.size(name) or 0) > _MAX_JSON:
        raise _not_oci(Path(name))
    return verified(digest, b"".join(layout.chunks(name)))


def _present(layout: OciLayout, digest: str) -> str:
    name = f"blobs/sha256/{hex_of(digest)}"
    if layout.size(name) is None:
        raise BootimgError(
            "layer-blob-missing",
            f"the image lacks a blob its manifest names: {digest}",
            hint="the copy is incomplete: copy it again with `skopeo copy --preserve-digests`",
        )
    return name


def _unreadable(path: Path) -> BootimgError:
    return BootimgError(
        "layer-unreadable",
        f"user {os.geteuid()} may not read {path}",
        hint="make it readable, or run as a user who may",
        exit_code=ExitCode.USAGE,
    )


def _not_oci(path: Path) -> BootimgError:
    return BootimgError(
        "layer-not-oci",
        f"{path} is neither an OCI archive nor an OCI directory",
        hint="make one with: skopeo copy --preserve-digests SOURCE oci-archive:FILE",
        exit_code=ExitCode.USAGE,
    )
