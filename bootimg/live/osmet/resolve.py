"""Where the unpacker reads objects: a repository's folder, or the disk that has the repository."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from bootimg.disk.extents import read_exactly
from bootimg.disk.xfs.read.volume import XfsVolume
from bootimg.errors import BootimgError
from bootimg.live.osmet.objects import StoredObject, stored_content, stored_objects

# An object that is a symbolic link or a FIFO has no content.
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class Objects(Protocol):
    """Content objects by their checksum in hex."""

    def read(self, checksum: str, offset: int, length: int) -> bytes:
        """Bytes of an object, at most up to its end; `osmet-object-missing` if it does not exist."""


class RepositoryFolder:
    """A repository whose objects are files with their plain content (OSTree's mode `bare`)."""

    def __init__(self, repo: Path) -> None:
        self._objects = repo / "objects"

    def read(self, checksum: str, offset: int, length: int) -> bytes:
        """Bytes of the object's file."""
        try:
            fd = os.open(self._objects / checksum[:2] / f"{checksum[2:]}.file", _FLAGS)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ELOOP):
                raise
            raise _missing(checksum) from None
        try:
            # A system call refuses offsets that no file can have.
            available = max(0, os.fstat(fd).st_size - offset)
            return read_exactly(fd, offset, min(length, available)) if available else b""
        finally:
            os.close(fd)


class DiskObjects:
    """The repository in an XFS."""

    def __init__(self, volume: XfsVolume) -> None:
        self._volume = volume
        self._objects: Mapping[str, StoredObject] = {
            each.checksum.hex(): each for each in stored_objects(volume)
        }

    def read(self, checksum: str, offset: int, length: int) -> bytes:
        """Bytes of the object's extents."""
        try:
            stored = self._objects[checksum]
        except KeyError:
            raise _missing(checksum) from None
        return stored_content(self._volume, stored, offset, max(0, min(length, stored.size - offset)))


def _missing(checksum: str) -> BootimgError:
    return BootimgError(
        "osmet-object-missing",
        f"the repository does not have the object {checksum} that the osmet file refers to",
        hint="use the repository of the live system that the osmet file came with",
    )
