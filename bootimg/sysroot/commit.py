"""The tree of an imported commit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bootimg.layer.importing.importer import ImportedCommit
from bootimg.layer.ostree.objects import commit_strings, parse_commit
from bootimg.layer.tar.entry import check_length
from bootimg.layer.tar.paths import join
from bootimg.layer.tree.merged import too_large
from bootimg.sysroot.objects import DirectoryObject, DirectoryTree, FileObject, Objects
from bootimg.sysroot.unsupported import NativeUnsupportedError
from bootimg.untrusted.budget import Budget
from bootimg.untrusted.files import TEXT_LIMIT

WHITEOUT = ".ostree-wh."
"""A regular file of this name and the name that follows stands for a whiteout (2022.6)."""


@dataclass(frozen=True, slots=True)
class Folder:
    """A directory of the commit, by the checksums of its dirtree and dirmeta objects."""

    tree: str
    meta: str


Found = Folder | FileObject


def read_commit(data: bytes) -> tuple[Folder, Mapping[str, str | None]]:
    """The root of a commit object and the strings of its metadata."""
    try:
        return Folder(*parse_commit(data)), commit_strings(data)
    except (ValueError, IndexError):
        raise NativeUnsupportedError("the commit object is not in the form that ostree writes") from None


class Commit:
    """A commit, its checksum and the strings of its metadata (None for what is not a string)."""

    def __init__(self, repo: Path, imported: ImportedCommit) -> None:
        self.imported = imported
        self.checksum = imported.checksum
        self.objects = Objects(repo, imported.files)
        self.root, self.metadata = read_commit(self.objects.commit(self.checksum))

    def contents(self, folder: Folder) -> DirectoryTree:
        """The files of a directory by name with their checksums, and the folders in it."""
        return self.objects.tree(folder.tree)

    def attributes(self, folder: Folder) -> DirectoryObject:
        """Owner, mode and xattrs of a directory."""
        return self.objects.directory(folder.meta)

    def find(self, path: str) -> Found | None:
        """What is at a path of the commit; no symlink is followed."""
        here = self.root
        parent, _, name = path.rpartition("/")
        for part in filter(None, parent.split("/")):
            folder = self.contents(here)[1].get(part)
            if folder is None:
                return None
            here = Folder(*folder)
        files, folders = self.contents(here)
        if name in folders:
            return Folder(*folders[name])
        return self.objects.file(files[name]) if name in files else None

    def folder(self, path: str) -> Folder | None:
        """The directory at a path, if there is one."""
        found = self.find(path)
        return found if isinstance(found, Folder) else None

    def file(self, path: str) -> FileObject | None:
        """The regular file at a path, if there is one."""
        found = self.find(path)
        return found if isinstance(found, FileObject) and found.target is None else None

    def read(self, path: str, limit: int = TEXT_LIMIT) -> bytes:
        """The content of a regular file of at most `limit` bytes; empty where the commit has no such file."""
        found = self.file(path)
        if found is None:
            return b""
        if found.size > limit:
            raise too_large(path, found.size, limit)
        return b"".join(self.objects.read(found))

    def walk(self, folder: Folder, path: str = "") -> Iterator[tuple[str, Found]]:
        """What is below a directory, by path: each directory before what it holds, names in order."""
        budget = Budget(self.imported.limits)
        for inner, found in self._walk(folder, path):
            # A few small dirtrees that name each other unfold to any number of paths.
            budget.name(len(inner), inner)
            yield inner, found

    def _walk(self, folder: Folder, path: str) -> Iterator[tuple[str, Found]]:
        files, folders = self.contents(folder)
        for name in sorted([*files, *folders], key=str.encode):
            inner = join(path, name)
            check_length(inner)
            if name in files:
                yield inner, self.objects.file(files[name])
            else:
                below = Folder(*folders[name])
                yield inner, below
                yield from self._walk(below, inner)

    def require_folder(self, path: str) -> Folder | None:
        """The directory at a path, None where nothing is; anything else is left to ostree."""
        found = self.find(path)
        if found is not None and not isinstance(found, Folder):
            raise NativeUnsupportedError(f"/{path} of the commit is not a directory")
        return found
