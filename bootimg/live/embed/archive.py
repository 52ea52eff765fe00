"""The archive in the ignition area, byte for byte as coreos-installer writes it."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping

from bootimg.live import cpio

_FOLDER_MODE, _FILE_MODE = stat.S_IFDIR | 0o755, stat.S_IFREG | 0o600


def write_archive(files: Mapping[str, bytes]) -> bytes:
    """An archive of files."""
    return b"".join(member for member, _ in write_members(files))


def write_members(files: Mapping[str, bytes]) -> Iterator[tuple[bytes, int]]:
    """The members of an archive, each with the size of its content, and its end.

    They are in the order of their paths, with the folders above them: root's, without times, each with one
    link, inodes counted from 0.
    """
    folders = set[str]()
    number = 0
    for path in sorted(files, key=str.encode):
        for parent in cpio.folders_above(path):
            if parent not in folders:
                folders.add(parent)
                yield _member(parent, number, _FOLDER_MODE, b""), 0
                number += 1
        yield _member(path, number, _FILE_MODE, files[path]), len(files[path])
        number += 1
    yield _member(cpio.TRAILER, 0, 0, b""), 0


def _member(name: str, inode: int, mode: int, content: bytes) -> bytes:
    header = cpio.packed_header(name, len(content), inode, mode, 1)
    return header + content + cpio.padding(len(content))
