"""The objects of the cache's repository (mode bare-user), read without libostree.

What is read here is checked against its checksum: metadata objects, and the content of a few files.
Other content is only referred to; its size must be the recorded one.
"""

from __future__ import annotations

import hashlib
import os
import stat
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from bootimg.errors import BootimgError
from bootimg.layer.ostree.objects import (
    checked_directory_metadata,
    checked_directory_tree,
    content_checksum,
    file_header,
    parse_file_metadata,
)
from bootimg.sysroot.entries import Xattrs
from bootimg.sysroot.unsupported import NativeUnsupportedError

_T = TypeVar("_T")
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class FileObject:
    """A content object: a regular file, or a symlink to `target`.  `mode` is the permission bits.

    `path` is where this machine has its content.  `xattrs` are in the order that the checksum covers.
    """

    checksum: str
    uid: int
    gid: int
    mode: int
    xattrs: Xattrs
    size: int
    path: str
    target: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryObject:
    """A dirmeta object; `mode` is the permission bits."""

    uid: int
    gid: int
    mode: int
    xattrs: Xattrs


DirectoryTree = tuple[Mapping[str, str], Mapping[str, tuple[str, str]]]
"""Files by name with their checksums; folders with those of dirtree and dirmeta."""


class Objects:
    """The loose objects of a repository; `files` are their names below `objects` and their sizes."""

    def __init__(self, repo: Path, files: Mapping[str, int]) -> None:
        if any(name.endswith(".filez") for name in files):
            raise NativeUnsupportedError("the cache's file system keeps no user.* attributes")
        self.files = files
        self._folder = os.fspath(repo / "objects")
        self._content: dict[str, FileObject] = {}
        self._parsed: dict[bytes, tuple[int, int, int, Xattrs]] = {}
        self._metas: dict[str, DirectoryObject] = {}
        self._trees: dict[str, DirectoryTree] = {}

    def path(self, name: str) -> str:
        """The file of an object, by its name below `objects`."""
        # A string: a Path for each of the many thousand would cost more time than all else here.
        return f"{self._folder}/{name}"

    def size(self, name: str) -> int:
        """The size of an object's file."""
        return os.stat(self.path(name)).st_size  # noqa: PTH116

    def commit(self, checksum: str) -> bytes:
        """A commit object."""
        return self._metadata(checksum, "commit")

    def directory(self, checksum: str) -> DirectoryObject:
        """A dirmeta object."""
        if checksum not in self._metas:
            parsed = _parsed(checked_directory_metadata, self._metadata(checksum, "dirmeta"), checksum)
            uid, gid, mode, xattrs = parsed
            self._metas[checksum] = DirectoryObject(
                uid=uid, gid=gid, mode=stat.S_IMODE(mode), xattrs=_encoded(xattrs)
            )
        return self._metas[checksum]

    def tree(self, checksum: str) -> DirectoryTree:
        """A dirtree object."""
        if checksum not in self._trees:
            data = self._metadata(checksum, "dirtree")
            files, folders = _parsed(checked_directory_tree, data, checksum)
            self._trees[checksum] = dict(files), {name: (tree, meta) for name, tree, meta in folders}
        return self._trees[checksum]

    def file(self, checksum: str) -> FileObject:
        """A content object."""
        if checksum not in self._content:
            self._content[checksum] = self._file(checksum)
        return self._content[checksum]

    def read(self, file: FileObject) -> Iterator[bytes]:
        """The content of a regular file, whose checksum is checked when all of it was read."""
        xattrs = [(name.decode(), value) for name, value in file.xattrs]
        header = file_header(file.uid, file.gid, stat.S_IFREG | file.mode, "", xattrs)
        with Path(file.path).open("rb") as handle:
            yield from _checked(iter(lambda: handle.read(_CHUNK), b""), header, file.checksum)

    def _file(self, checksum: str) -> FileObject:
        name = f"{checksum[:2]}/{checksum[2:]}.file"
        path = self.path(name)
        try:
            uid, gid, mode, xattrs = self._attributes(os.getxattr(path, "user.ostreemeta"), checksum)
            # The content of a symlink's object is its target.
            target = Path(path).read_bytes().rstrip(b"\0") if stat.S_ISLNK(mode) else None
            size = 0 if target is not None else self.size(name)
        except OSError as error:
            raise damaged(f"the object {checksum}.file cannot be read: {error.strerror}") from None
        if target is None and size != self.files.get(name):
            raise damaged(f"the object {checksum}.file has {size} bytes, recorded are {self.files.get(name)}")
        return FileObject(
            checksum=checksum,
            uid=uid,
            gid=gid,
            mode=stat.S_IMODE(mode),
            xattrs=xattrs,
            size=size,
            path=path,
            target=target,
        )

    def _attributes(self, data: bytes, checksum: str) -> tuple[int, int, int, Xattrs]:
        # Thousands of files have one of a few hundred values.
        if data not in self._parsed:
            uid, gid, mode, xattrs = _parsed(parse_file_metadata, data, checksum)
            self._parsed[data] = uid, gid, mode, _encoded(xattrs)
        return self._parsed[data]

    def _metadata(self, checksum: str, kind: str) -> bytes:
        try:
            data = Path(self.path(f"{checksum[:2]}/{checksum[2:]}.{kind}")).read_bytes()
        except OSError as error:
            raise damaged(f"the object {checksum}.{kind} cannot be read: {error.strerror}") from None
        if content_checksum(data) != checksum:
            raise damaged(f"the object {checksum}.{kind} does not have the checksum in its name")
        return data


def damaged(what: str) -> BootimgError:
    """The error for a repository of the cache that is not as it was written."""
    return BootimgError(
        "repository-damaged",
        "the ostree repository of the cache is damaged",
        context=[what],
        hint="remove the folder `repo` of the cache: the next build imports the layer again",
    )


def _checked(chunks: Iterator[bytes], header: bytes, checksum: str) -> Iterator[bytes]:
    digest = hashlib.sha256(header)
    for chunk in chunks:
        digest.update(chunk)
        yield chunk
    if digest.hexdigest() != checksum:
        raise damaged(f"the object {checksum}.file does not have the checksum in its name")


def _parsed(parse: Callable[[bytes], _T], data: bytes, checksum: str) -> _T:
    try:
        return parse(data)
    except (ValueError, IndexError, struct.error) as error:
        raise damaged(f"the object {checksum} is malformed ({error})") from None


def _encoded(xattrs: tuple[tuple[str, bytes], ...]) -> Xattrs:
    return tuple((name.encode(), value) for name, value in xattrs)
