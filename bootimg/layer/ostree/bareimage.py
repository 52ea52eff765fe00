"""A bare ostree repository as a read-only image, made from a bare-user repository without privileges.

In a bare repository a content object has its real owner, mode and xattrs.  `ostree pull-local` from
one bare repository into another copies such files unchanged.  From any other mode it parses each object
and hashes it again, which without KVM takes several times as long.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from bootimg.layer.ostree.objects import parse_file_metadata
from bootimg.layer.tar.entry import Entry, Kind
from bootimg.layer.tar.tarwriter import member
from bootimg.tarstream import END, padding

_CONFIG = b"[core]\nrepo_version=1\nmode=bare\n"
_FOLDERS = ("objects", "refs", "refs/heads", "refs/remotes", "refs/mirrors", "state", "tmp", "extensions")
_CHUNK = 1 << 20


def bare_repository(repo: Path, files: Mapping[str, int], refs: Mapping[str, str]) -> Iterator[bytes]:
    """A tar of a bare repository with these loose objects (names below `objects`) and local refs."""
    yield member(_directory("."))
    folders = {*_FOLDERS, *(f"objects/{name[:2]}" for name in files)}
    for ref in refs:
        folders.update(f"refs/heads/{parent}" for parent in map(str, Path(ref).parents) if parent != ".")
    for folder in sorted(folders):
        yield member(_directory(folder))
    yield from _small("config", _CONFIG)
    for ref, checksum in sorted(refs.items()):
        yield from _small(f"refs/heads/{ref}", f"{checksum}\n".encode())
    for name in sorted(files):
        yield from _object(repo / "objects" / name, f"objects/{name}")
    yield END


def _directory(path: str) -> Entry:
    return Entry(path, Kind.DIRECTORY, 0o755, 0, 0)


def _small(path: str, data: bytes) -> Iterator[bytes]:
    yield member(Entry(path, Kind.FILE, 0o644, 0, 0, size=len(data)))
    yield data
    yield padding(len(data))


def _object(source: Path, path: str) -> Iterator[bytes]:
    if source.suffix != ".file":
        yield from _small(path, source.read_bytes())
        return
    uid, gid, mode, xattrs = parse_file_metadata(os.getxattr(source, "user.ostreemeta"))
    if stat.S_ISLNK(mode):
        target = source.read_bytes().rstrip(b"\0").decode()
        yield member(Entry(path, Kind.SYMLINK, 0o777, uid, gid, xattrs=xattrs, target=target))
        return
    with source.open("rb") as handle:
        size = os.fstat(handle.fileno()).st_size
        yield member(Entry(path, Kind.FILE, stat.S_IMODE(mode), uid, gid, size=size, xattrs=xattrs))
        while chunk := handle.read(_CHUNK):
            yield chunk
        yield padding(size)
