"""File systems in images, mounted, and compared with the nodes that they were filled with."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import file_digest
from pathlib import Path

from bootimg.disk.filetree import Node, Xattrs
from tests.support.xfs.xfsread import LARGE, Found, expected


@contextmanager
def mounted(image: Path, *options: str) -> Iterator[Path]:
    """A whole image, mounted beside it."""
    folder = image.with_name("mounted")
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-o", ",".join(("loop", *options)), image, folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def compare_mounted(folder: Path, nodes: Iterable[Node]) -> None:
    wanted = expected(nodes)
    found: dict[int, tuple[bytes, list[bytes]]] = {}
    for path in _paths(os.fsencode(folder)):
        number = os.lstat(os.path.join(os.fsencode(folder), path)).st_ino  # noqa: PTH118
        found.setdefault(number, (path, []))[1].append(path)
    seen = {min(names): _found(folder, path, names) for path, names in found.values()}
    assert seen.keys() == wanted.keys()
    # The immutable flag needs an ioctl; xfs_db's reader has compared it.
    for name, each in wanted.items():
        assert _comparable(seen[name]) == _comparable(each)


def _comparable(found: Found) -> tuple[object, ...]:
    owner = (found.mode, found.uid, found.gid, found.mtime, found.links)
    return (*owner, _readable(found.mode, found.xattrs), found.content, found.names)


def _readable(mode: int, xattrs: Xattrs) -> Xattrs:
    """Without the attributes that the kernel lists but does not return: users' own, of special files."""
    whole = stat.S_ISREG(mode) or stat.S_ISDIR(mode)
    return tuple(each for each in xattrs if whole or not each[0].startswith(b"user."))


def _paths(top: bytes) -> Iterable[bytes]:
    yield b""
    for folder, folders, files in os.walk(top):
        for name in folders + files:
            yield os.path.relpath(os.path.join(folder, name), top)  # noqa: PTH118


def _found(folder: Path, path: bytes, names: list[bytes]) -> Found:
    place = os.path.join(os.fsencode(folder), path)  # noqa: PTH118
    status = os.lstat(place)
    listed = [(os.fsencode(name), b"") for name in os.listxattr(place, follow_symlinks=False)]
    readable = (name for name, _ in _readable(status.st_mode, tuple(listed)))
    xattrs = ((name, os.getxattr(place, name, follow_symlinks=False)) for name in readable)
    return Found(
        mode=status.st_mode,
        uid=status.st_uid,
        gid=status.st_gid,
        mtime=status.st_mtime_ns,
        links=status.st_nlink,
        xattrs=tuple(sorted(xattrs)),
        content=_content(place, status),
        immutable=False,
        names=tuple(sorted(names)),
    )


def _content(place: bytes, status: os.stat_result) -> object:
    if stat.S_ISLNK(status.st_mode):
        return os.readlink(place)  # noqa: PTH115
    if status.st_rdev or stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode):
        return os.major(status.st_rdev), os.minor(status.st_rdev)
    if not stat.S_ISREG(status.st_mode):
        return None
    if status.st_size >= LARGE:
        return status.st_size
    with Path(os.fsdecode(place)).open("rb") as file:
        return status.st_size, file_digest(file, "sha256").digest()
