"""Reading the files of a root filesystem that is not mounted: of a disk, or of a live system."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from bootimg.errors import BootimgError

_DEPLOYMENTS = "/ostree/deploy"
MOST = 20
"""The most deployments, and the most stateroots; a disk has one, an updated system two or three."""
# Names without characters that a program would read as a separator, a quote, a path or an option.
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+@-]*")


class Unmounted(Protocol):
    """A filesystem; paths begin with a slash, and no link is followed.  A folder is read once."""

    def listing(self, folder: str) -> dict[str, str]:
        """The names in a folder, and their types (`regular`, `directory`, `symlink`, …); empty without it."""

    def content(self, path: str) -> bytes | None:
        """A regular file's content of at most TEXT_LIMIT bytes; None if its folder has none of that name."""

    def copy(self, path: str, target: Path, limit: int) -> bool:
        """Copy a regular file of at most `limit` bytes; False if its folder has none of that name."""


def is_plain(name: str) -> bool:
    """Whether a name can be part of a path given to an `Unmounted`."""
    return _PLAIN.fullmatch(name) is not None


def deployments(image: Unmounted) -> Iterator[tuple[str, str]]:
    """The stateroot and the path of each deployment; `deployments-too-many`."""
    found = 0
    stateroots = sorted(filter(is_plain, image.listing(_DEPLOYMENTS)))
    _require_few(len(stateroots))
    for stateroot in stateroots:
        folder = f"{_DEPLOYMENTS}/{stateroot}/deploy"
        for name, kind in sorted(image.listing(folder).items()):
            if kind == "directory" and is_plain(name):
                found += 1
                _require_few(found)
                yield stateroot, f"{folder}/{name}"


def _require_few(count: int) -> None:
    if count > MOST:
        raise BootimgError(
            "deployments-too-many",
            f"the root filesystem has more than {MOST} deployments",
            hint="no CoreOS image has them: get or build the image again",
        )
