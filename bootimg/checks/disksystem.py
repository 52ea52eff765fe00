"""The operating system on the root filesystem of a disk or a live system, read without mounting it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bootimg.checks.system import System, os_release
from bootimg.disk.aleph import ALEPH, COREOS_ALEPH
from bootimg.disk.bootc import ALEPH as BOOTC_ALEPH
from bootimg.disk.unmounted import Unmounted, is_plain
from bootimg.errors import BootimgError
from bootimg.layer.image.fetched import VERSION_LABEL
from bootimg.rpmdb import sqlitedb
from bootimg.rpmdb.dpkg import STATUS_LIMIT, read_status
from bootimg.rpmdb.package import Package
from bootimg.rpmdb.sqlitedb import OTHERS, other_kind, packages_in, unreadable
from bootimg.untrusted.jsonfile import find_object

# ostree moves RPM's database there; the stand-in layer moves dpkg's to _DPKG.
_RPM = ("usr/share/rpm", "usr/lib/sysimage/rpm")
_DPKG = "usr/share/dpkg-db/status"


@dataclass(frozen=True, slots=True)
class DeployedContent:
    """The files of a deployment at `root`; links are not followed."""

    image: Unmounted
    root: str

    def names(self, folder: str) -> Collection[str]:
        """What is in a folder."""
        return self._listing(folder)

    def text(self, path: str) -> str:
        """A regular file's text."""
        if not self.has_file(path):
            return ""
        return (self.image.content(self.path(path)) or b"").decode(errors="replace")

    def has_file(self, path: str) -> bool:
        """Whether a regular file is there, with a plain name."""
        folder, _, name = path.rpartition("/")
        return self._listing(folder).get(name) == "regular" and is_plain(name)

    def path(self, path: str) -> str:
        """A path of the deployment in the filesystem."""
        return f"{self.root}/{path}".rstrip("/")

    def _listing(self, folder: str) -> dict[str, str]:
        parent, _, name = folder.rpartition("/")
        there = not folder or self._listing(parent).get(name) == "directory"
        return self.image.listing(self.path(folder)) if there else {}


def system_of_deployment(image: Unmounted, root: str, where: str, folder: Path) -> System:
    """The system of the deployment at `root`; `folder` is for copies of the package database.

    Errors: those of the filesystem.
    """
    content = DeployedContent(image, root)
    found = aleph(image)
    labels = labels_of(found)
    packages, problem = None, None
    try:
        packages = _packages(content, folder)
    except BootimgError as error:
        if error.id != "rpmdb-unreadable":
            raise
        problem = error
    return System(
        where=where,
        labels={VERSION_LABEL: str(found.get("version", ""))} if labels is None else labels,
        os_release=os_release(content),
        content=content,
        packages=packages,
        unreadable=problem,
        labelled=labels is not None,
    )


def aleph(image: Unmounted) -> Mapping[str, Any]:
    """The aleph file, under the name that is not a link; empty if it is missing or is not JSON."""
    contents = (image.content(f"/{name}") for name in (ALEPH, COREOS_ALEPH, BOOTC_ALEPH))
    return find_object(next(filter(None, contents), b"{}")) or {}


def labels_of(document: Mapping[str, Any]) -> dict[str, str] | None:
    """The image's labels in an aleph file of bootimg or bootc; None in one of an older bootc."""
    image = document.get("container-image")
    labels = image.get("image-labels") if isinstance(image, dict) else document.get("labels")
    return {str(name): str(value) for name, value in labels.items()} if isinstance(labels, dict) else None


def _packages(content: DeployedContent, folder: Path) -> list[Package] | None:
    image = content.image
    with TemporaryDirectory(prefix="rpmdb-", dir=folder) as copy:
        target = Path(copy) / sqlitedb.NAME
        for path in (f"{place}/{sqlitedb.NAME}" for place in _RPM):
            if content.has_file(path):
                for suffix in ("", "-wal"):
                    if content.has_file(f"{path}{suffix}"):
                        image.copy(content.path(f"{path}{suffix}"), Path(f"{target}{suffix}"), sqlitedb.LIMIT)
                return packages_in(target)
        if not content.has_file(_DPKG):
            for path, name in ((f"{place}/{name}", name) for place in _RPM for name in OTHERS):
                if content.has_file(path):
                    raise other_kind(path, name)
            return None
        status = Path(copy) / "status"
        image.copy(content.path(_DPKG), status, STATUS_LIMIT)
        try:
            return read_status(status.read_text(errors="replace"))
        except ValueError as error:
            raise unreadable(f"/{_DPKG}: {error}") from error
