"""An operating system to check, in an image's tree or on a disk."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from bootimg.errors import BootimgError
from bootimg.layer.declared.osrelease import PATHS as OS_RELEASE
from bootimg.layer.declared.osrelease import malformed, parse_os_release
from bootimg.layer.image.fetched import VERSION_LABEL, Image
from bootimg.layer.tar.entry import Kind
from bootimg.layer.tree.merged import Tree
from bootimg.rpmdb.package import Package
from bootimg.rpmdb.read import read_packages
from bootimg.untrusted.files import TEXT_LIMIT

STRANGE = ("deployments-too-many", "os-release-malformed")
"""Errors about what is on a file system, after which the rest of a disk is still checked."""
# A layer in ostree's own layout has its /etc in /usr/etc.
ETC = ("etc", "usr/etc")


class Content(Protocol):
    """The files of a system; paths are without leading slash."""

    def names(self, folder: str) -> Collection[str]:
        """The names in a folder; none if the folder does not exist."""

    def text(self, path: str) -> str:
        """A regular file's text; empty if it does not exist or is larger than TEXT_LIMIT."""


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """A system; `where` is the location for its findings.

    `packages` is None if the database is missing or unreadable; `unreadable` is the error in that case.
    `labelled` is True if all labels are known, False if only the version is.
    """

    where: str
    labels: Mapping[str, str]
    os_release: Mapping[str, str]
    content: Content
    packages: Sequence[Package] | None
    unreadable: BootimgError | None = None
    labelled: bool = True

    @property
    def version(self) -> str | None:
        """The version from the label."""
        return self.labels.get(VERSION_LABEL) or self.labels.get("version")

    @property
    def stream(self) -> str:
        """The stream from the label; empty without that label."""
        return self.labels.get("com.coreos.stream", "")

    def has(self, path: str) -> bool:
        """Whether the path exists, also as a dangling link."""
        folder, _, name = path.rpartition("/")
        return name in self.content.names(folder)


@dataclass(frozen=True, slots=True)
class TreeContent:
    """The files of an image."""

    tree: Tree

    def names(self, folder: str) -> Collection[str]:
        """The names in a folder."""
        return self.tree.listdir(folder)

    def text(self, path: str) -> str:
        """A file's text; follows links."""
        found = self.tree.resolve(path)
        entry = self.tree.entries.get(found) if found else None
        if entry is None or entry.kind is not Kind.FILE or entry.size > TEXT_LIMIT:
            return ""
        return b"".join(self.tree.chunks(entry)).decode(errors="replace")


def system_of_image(image: Image, tree: Tree, folder: Path) -> System:
    """The system in an image; `folder` is for a temporary copy of the package database."""
    content = TreeContent(tree)
    packages, unreadable = None, None
    try:
        packages = read_packages(tree, folder)
    except BootimgError as error:
        unreadable = error
    return System(
        where="image",
        labels=image.labels,
        os_release=os_release(content),
        content=content,
        packages=packages,
        unreadable=unreadable,
    )


def os_release(content: Content) -> dict[str, str]:
    """The variables of a system's os-release; empty if it has none, `os-release-malformed`."""
    path = next(filter(content.text, OS_RELEASE), None)
    return {} if path is None else parse_os_release(content.text(path).encode(), partial(malformed, path))
