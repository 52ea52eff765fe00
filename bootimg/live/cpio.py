"""Archives that the kernel unpacks as an initramfs: cpio in the format newc, uncompressed.

Source: the kernel's "initramfs buffer format".  All is root's, times are 0, so the same members always give
the same bytes.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bootimg.disk.extents import read_exactly
from bootimg.errors import BootimgError, ExitCode
from bootimg.sizes import MIB

ALIGNMENT = 4
MAGIC = b"070701"
FIELDS, DIGITS = 13, 8
"""The numbers of a header after its magic, each in hexadecimal digits."""
TRAILER = "TRAILER!!!"
LARGEST = (1 << 32) - 1
"""Bytes of a member: the field has 8 hexadecimal digits."""


@dataclass(frozen=True, slots=True)
class Member:
    """A regular file: its path without a leading slash, and its content or the file that has it."""

    name: str
    content: bytes | Path


def padding(size: int) -> bytes:
    """The zeros that fill `size` bytes up to the alignment of headers, data and archives."""
    return bytes(-size % ALIGNMENT)


def header(name: str, size: int, number: int, *, directory: bool = False) -> bytes:
    """The header of a member and its padding; `size` bytes of data and their padding follow.

    `number` is the inode's, which no other member of the archive has.  Raises `live-file-too-large`.
    """
    if size > LARGEST:
        raise BootimgError(
            "live-file-too-large",
            f"{name} of the live system has {size} bytes; an initramfs holds files of at most {LARGEST}",
            hint="make the layer smaller, or let it ask for a stronger compression: live-rootfs-fsoptions",
            exit_code=ExitCode.USAGE,
        )
    mode, links = (stat.S_IFDIR | 0o755, 2) if directory else (stat.S_IFREG | 0o644, 1)
    return packed_header(name, size, number, mode, links)


def packed_header(name: str, size: int, number: int, mode: int, links: int) -> bytes:
    """A header of root's without times, and its padding; `mode` has the type's bits."""
    raw = name.encode() + b"\0"
    fields = (number, mode, 0, 0, links, 0, size, 0, 0, 0, 0, len(raw), 0)
    assert len(fields) == FIELDS
    found = MAGIC + b"".join(b"%0*x" % (DIGITS, field) for field in fields) + raw
    return found + padding(len(found))


def folders_above(path: str) -> Iterator[str]:
    """The folders that hold a path, the highest first."""
    names = path.split("/")
    for count in range(1, len(names)):
        yield "/".join(names[:count])


def members(files: Iterable[Member]) -> Iterator[bytes]:
    """The members with the directories that they need, in the order given, and the end of the archive."""
    made: set[str] = set()
    number = 1
    for file in files:
        for parent in folders_above(file.name):
            if parent not in made:
                made.add(parent)
                yield header(parent, 0, number, directory=True)
                number += 1
        yield from _file(file, number)
        number += 1
    yield header(TRAILER, 0, 0)


def _file(file: Member, number: int) -> Iterator[bytes]:
    if isinstance(file.content, bytes):
        yield header(file.name, len(file.content), number)
        yield file.content + padding(len(file.content))
        return
    fd = os.open(file.content, os.O_RDONLY | os.O_CLOEXEC)
    try:
        size = os.fstat(fd).st_size
        yield header(file.name, size, number)
        for offset in range(0, size, MIB):
            yield read_exactly(fd, offset, min(MIB, size - offset))
        yield padding(size)
    finally:
        os.close(fd)
