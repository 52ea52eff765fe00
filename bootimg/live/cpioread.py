"""Reading archives of an initramfs: which members they have, and the content of small ones.

The bytes are untrusted: nothing is unpacked to a folder, and what is read has limits.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from bootimg.errors import BootimgError
from bootimg.live.cpio import ALIGNMENT, MAGIC, TRAILER
from bootimg.printable import shown
from bootimg.sizes import MIB

_FIELDS, _DIGITS = 13, 8
_HEADER = len(MAGIC) + _FIELDS * _DIGITS
_LONGEST_NAME = 4096
_MOST = 100_000
CONTENT_LIMIT = 16 * MIB
"""Bytes of a member that `read_member` returns."""


class ForwardFile(Protocol):
    """A file that is read from its start to its end, in which some bytes are passed over."""

    def seek(self, offset: int, /) -> int:
        """Go forward to a byte."""

    def read(self, size: int, /) -> bytes:
        """The next bytes; fewer at the end."""


@dataclass(frozen=True, slots=True)
class Found:
    """A member: its path, its mode with the type, and where its `size` bytes are in the file."""

    name: str
    mode: int
    offset: int
    size: int

    @property
    def is_file(self) -> bool:
        """Whether it is a regular file."""
        return stat.S_ISREG(self.mode)


def read_archive(file: ForwardFile, start: int, end: int) -> Iterator[Found]:
    """The members of one uncompressed archive that begins at `start` of a file.

    Nothing at or after `end` belongs to it.  Raises `live-archive-malformed`.  At the end the
    file's position is after the archive.
    """
    at = start
    for _ in range(_MOST):
        found, at = _member(file, at, end)
        if found.name == TRAILER:
            return
        yield found
    raise malformed(at, f"it has more than {_MOST} members")


def read_member(file: ForwardFile, found: Found) -> bytes:
    """The content of a member of at most `CONTENT_LIMIT` bytes; else `live-archive-malformed`."""
    if found.size > CONTENT_LIMIT:
        raise malformed(found.offset, f"{shown(found.name)} has more than {CONTENT_LIMIT} bytes")
    file.seek(found.offset)
    data = file.read(found.size)
    if len(data) != found.size:
        raise malformed(found.offset, "it ends within a member")
    return data


def _member(file: ForwardFile, at: int, end: int) -> tuple[Found, int]:
    file.seek(at)
    fields = _fields(file.read(min(_HEADER, end - at)), at)
    mode, size, name_size = fields[1], fields[6], fields[11]
    if not 1 < name_size <= _LONGEST_NAME:
        raise malformed(at, f"a name has {name_size} bytes")
    name_end = at + _HEADER + name_size
    data = _aligned(name_end)
    if max(name_end, data + size) > end:
        raise malformed(at, "it ends within a member")
    name = file.read(name_size)
    if len(name) != name_size or name[-1:] != b"\0" or b"\0" in name[:-1]:
        raise malformed(at, "a name does not end in a zero byte")
    text = name[:-1].decode(errors="surrogateescape")
    return Found(text, mode, data, size), _aligned(data + size)


def _fields(header: bytes, at: int) -> list[int]:
    if len(header) != _HEADER or not header.startswith(MAGIC):
        raise malformed(at, "there is no header of the format newc")
    try:
        text = header[len(MAGIC) :].decode("ascii")
        if not text.isalnum():
            raise ValueError
        return [int(text[each : each + _DIGITS], 16) for each in range(0, len(text), _DIGITS)]
    except ValueError:
        raise malformed(at, "a header is not in hexadecimal digits") from None


def _aligned(at: int) -> int:
    # Offsets count from the archive's start, which is aligned itself.
    return at + -at % ALIGNMENT


def malformed(at: int, what: str) -> BootimgError:
    """The error for bytes that are not an archive of a live system."""
    return BootimgError(
        "live-archive-malformed",
        "the file is not a cpio archive of a live system",
        context=[f"at byte {at}: {what}"],
        hint="it is damaged or of another kind: fetch or build it again",
    )
