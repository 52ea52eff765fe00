"""A folder of package lists by image, as `oc adm release info --rpmdb-cache` keeps it.

`sha256_<hex>` is the list of the image with that manifest digest.  Readers and writers must hold the
folder's flock.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bootimg.atomic import make_folder, write_whole
from bootimg.cache import require_trusted
from bootimg.filelock import lock
from bootimg.layer.image.fetched import hex_of
from bootimg.rpmdb.lists import dump_list, parse_list
from bootimg.rpmdb.package import Package

_MAX_LIST = 64 << 20


@dataclass(frozen=True, slots=True)
class ListCache:
    """A folder of package lists; the first lock creates it."""

    folder: Path

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the folder for one process, so that no image is read twice."""
        make_folder(self.folder, "give another folder with --rpmdb-cache")
        require_trusted(self.folder)
        fd = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            lock(fd, self.folder)
            yield
        finally:
            os.close(fd)

    def load(self, digest: str) -> list[Package] | None:
        """The list of the image; None if it is not cached, `rpmdb-list-malformed` if it is not a list."""
        path = self._path(digest)
        try:
            with path.open("rb") as handle:
                return parse_list(handle.read(_MAX_LIST), str(path))
        except FileNotFoundError:
            return None

    def store(self, digest: str, packages: Iterable[Package]) -> None:
        """Write the list of the image."""
        write_whole(self._path(digest), dump_list(packages))

    def _path(self, digest: str) -> Path:
        return self.folder / f"sha256_{hex_of(digest)}"
