"""The files of an ISO, and the folders that hold them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Self

from bootimg.errors import BootimgError, ExitCode
from bootimg.live.iso.names import invalid_name, short_name, split_path
from bootimg.sizes import GIB
from bootimg.sysroot.entries import Content

LARGEST = 4 * GIB - 1
"""The most bytes that a file of interchange level 1 has: one extent, whose length has 32 bits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IsoFile:
    """A file of the ISO; `path` has no leading slash, `size` is in bytes."""

    path: str
    size: int
    content: Content
    executable: bool = False

    @classmethod
    def of(cls, path: str, data: bytes, *, executable: bool = False) -> Self:
        """A file with this content."""
        return cls(path=path, size=len(data), content=data, executable=executable)


@dataclass(eq=False, slots=True)
class Folder:
    """A folder; `short` is its 8.3 name.  The names of both kinds of children are keys."""

    name: str
    short: str
    parent: Folder | None = None
    folders: dict[str, Folder] = field(default_factory=dict)
    files: dict[str, tuple[str, IsoFile]] = field(default_factory=dict)
    """The 8.3 name and the file, by the file's name."""

    @property
    def shorts(self) -> set[str]:
        """The 8.3 names that are used in the folder."""
        return {each.short for each in self.folders.values()} | {short for short, _ in self.files.values()}

    def folder(self, name: str) -> Folder:
        """The folder of that name, made if it is missing."""
        if name not in self.folders:
            self.folders[name] = Folder(name, short_name(name, self.shorts, folder=True), self)
        return self.folders[name]


def build_tree(files: Sequence[IsoFile]) -> Folder:
    """The root folder of the files.

    Raises `iso-name-invalid`, and `iso-file-too-large` for a file that has no room in one extent.
    """
    root = Folder("", "")
    # 8.3 names must not depend on the order of the files' content.
    for file in sorted(files, key=lambda each: each.path):
        *parents, name = split_path(file.path)
        if file.size > LARGEST:
            raise _too_large(file)
        folder = root
        for each in parents:
            if each in folder.files:
                raise invalid_name(file.path, f"{each} is a file too")
            folder = folder.folder(each)
        if name in folder.files or name in folder.folders:
            raise invalid_name(file.path, "the name exists already")
        folder.files[name] = short_name(name, folder.shorts), file
    return root


def breadth_first(root: Folder, *, short: bool) -> Iterator[Folder]:
    """All folders, level by level; those of a folder in the order of the 8.3 or of the long names."""
    level = [root]
    while level:
        yield from level
        level = [
            each
            for folder in level
            for each in sorted(folder.folders.values(), key=lambda one: one.short if short else one.name)
        ]


def _too_large(file: IsoFile) -> BootimgError:
    return BootimgError(
        "iso-file-too-large",
        f"{file.path} has {file.size} bytes; a file of an ISO has at most {LARGEST}",
        hint="make the live root file system smaller: see live-rootfs-fsoptions in image.json",
        exit_code=ExitCode.USAGE,
    )
