"""The files of a local OCI image layout: a directory, or a tar of one (oci-archive), compressed or not.

They are read without skopeo.  skopeo would unpack a whole archive only to compute its digest, and only the
text of its messages distinguishes a truncated archive from a damaged one.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from bootimg.errors import BootimgError, ExitCode
from bootimg.layer.fetching.packedarchive import Scratch, plain_archive
from bootimg.layer.image.blobs import CHUNK, file_chunks
from bootimg.layer.image.reference import Reference, Transport
from bootimg.layer.tar.entry import Kind
from bootimg.layer.tar.tarformat import BLOCK, is_tar, read_entries
from bootimg.untrusted.budget import Budget
from bootimg.untrusted.files import open_regular

INDEX = "index.json"


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
        try:
            with open_regular(self._path / name) as handle:
                return os.fstat(handle.fileno()).st_size
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None

    def chunks(self, name: str) -> Iterator[bytes]:
        """Its content."""
        with open_regular(self._path / name) as handle:
            yield from file_chunks(handle, os.fstat(handle.fileno()).st_size)


class ArchiveLayout:
    """An OCI archive: the tar of an OCI directory."""

    def __init__(self, descriptor: int, data: mmap.mmap, budget: Budget) -> None:
        self._descriptor = descriptor
        self._files: dict[str, tuple[int, int]] = {}
        for entry in read_entries(data, budget):
            budget.member(f"{entry.path} of the archive")
            budget.hold(entry.text, f"{entry.path} of the archive")
            if entry.kind is Kind.FILE:
                self._files[entry.path] = entry.offset, entry.size

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
def open_layout(reference: Reference, scratch: Scratch, budget: Budget) -> Iterator[OciLayout]:
    """The layout a reference names.

    Errors: `layer-not-oci`, `layer-unreadable`, `image-over-budget`, `file-not-regular`.

    A compressed archive is decompressed into a folder that `scratch` makes.
    """
    path = Path(reference.name)
    if not os.access(path, os.R_OK):
        raise _unreadable(path)
    if path.is_dir() or not path.stat().st_size:
        if reference.transport is Transport.ARCHIVE or not (path / INDEX).exists():
            raise _not_oci(path)
        yield DirectoryLayout(path)
        return
    if reference.transport is Transport.DIRECTORY or not path.is_file():
        raise _not_oci(path)
    with plain_archive(path, scratch, budget) as plain, _archive(plain, path, budget) as layout:
        yield layout


@contextmanager
def _archive(plain: Path, path: Path, budget: Budget) -> Iterator[OciLayout]:
    if not plain.stat().st_size:
        raise _not_oci(path)
    with plain.open("rb") as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            with budget.working():
                layout = ArchiveLayout(handle.fileno(), data, budget)
        except BootimgError as error:
            # A file that does not begin as a tar is not a truncated archive.
            if error.id == "layer-tar-malformed" or not is_tar(data[:BLOCK]):
                raise _not_oci(path) from None
            raise
        if layout.size(INDEX) is None:
            raise _not_oci(path)
        yield layout


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
