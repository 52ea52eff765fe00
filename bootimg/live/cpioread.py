"""Reading archives of an initramfs: which members they have, and the content of small ones.

The bytes are untrusted: nothing is unpacked to a folder, and what is read has limits.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from bootimg.errors import BootimgError
from bootimg.live.cpio import DIGITS, FIELDS, MAGIC, TRAILER, padding
from bootimg.live.malformed import MalformedError
from bootimg.printable import shown
from bootimg.sizes import MIB
from bootimg.untrusted.budget import Budget

# The kernel also reads the format with checksums.
_MAGICS = (MAGIC, b"070702")
_HEADER = len(MAGIC) + FIELDS * DIGITS
_LONGEST_NAME = 4096
_STEPS = 10
"""What the header of a member costs, in steps of a look-up."""
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


def read_archive(file: ForwardFile, start: int, end: int, budget: Budget) -> Iterator[Found]:
    """The members of one uncompressed archive that begins at `start` of a file.

    Nothing at or after `end` belongs to it.  Raises `live-archive-malformed`, `image-over-budget`.  At the
    end the file's position is behind the archive's last name; zeros may follow.
    """
    try:
        for found, _ in _scan(file, start, end, budget):
            if found.name != TRAILER:
                yield found
    except MalformedError as error:
        raise _malformed(str(error)) from None


def read_members(file: ForwardFile, start: int, end: int, budget: Budget) -> tuple[list[Found], int]:
    """The members of one archive, as `read_archive`, and the offset after it; raises MalformedError."""
    *members, (_, after) = _scan(file, start, end, budget)
    return [found for found, _ in members], after


def read_member(file: ForwardFile, found: Found, budget: Budget) -> bytes:
    """The content of a member of at most `CONTENT_LIMIT` bytes; else `live-archive-malformed`."""
    if found.size > CONTENT_LIMIT:
        raise malformed(found.offset, f"{shown(found.name)} has more than {CONTENT_LIMIT} bytes")
    budget.hold(found.size, found.name)
    file.seek(found.offset)
    data = file.read(found.size)
    if len(data) != found.size:
        raise malformed(found.offset, "it ends within a member")
    return data


def malformed(at: int, what: str) -> BootimgError:
    """The error for bytes that are not an archive of a live system."""
    return _malformed(f"at byte {at}: {what}")


def _scan(file: ForwardFile, start: int, end: int, budget: Budget) -> Iterator[tuple[Found, int]]:
    """Each member up to the trailer, and the offset after it."""
    at = start
    while True:
        found = _member(file, at, end)
        budget.name(len(found.name), shown(found.name))
        budget.steps(_STEPS, shown(found.name))
        # Headers and data are aligned to the start of the archive.
        at = found.offset + found.size
        at = min(at + len(padding(at - start)), end)
        yield found, at
        if found.name == TRAILER:
            return


def _member(file: ForwardFile, at: int, end: int) -> Found:
    file.seek(at)
    fields = _fields(file.read(max(0, min(_HEADER, end - at))), at)
    mode, size, name_size = fields[1], fields[6], fields[11]
    if not 1 < name_size <= _LONGEST_NAME:
        raise MalformedError(f"at byte {at}: a name has {name_size} bytes")
    name_end = at + _HEADER + name_size
    data = name_end + len(padding(_HEADER + name_size))
    if max(name_end, data + size) > end:
        raise MalformedError(f"at byte {at}: it ends within a member")
    raw = file.read(name_size)
    # dracut-cpio pads names with zeros, to align the content.
    name = raw.rstrip(b"\0")
    if len(raw) != name_size or not name or len(name) == len(raw) or b"\0" in name:
        raise MalformedError(f"at byte {at}: a name does not end in a zero byte")
    return Found(name.decode(errors="surrogateescape"), mode, data, size)


def _fields(header: bytes, at: int) -> list[int]:
    if len(header) != _HEADER or not header.startswith(_MAGICS):
        raise MalformedError(f"at byte {at}: there is no header of the format newc")
    try:
        text = header[len(MAGIC) :].decode("ascii")
        # int() also takes spaces, signs and underscores.
        if not text.isalnum():
            raise ValueError
        return [int(text[each : each + DIGITS], 16) for each in range(0, len(text), DIGITS)]
    except ValueError:
        raise MalformedError(f"at byte {at}: a header is not in hexadecimal digits") from None


def _malformed(what: str) -> BootimgError:
    return BootimgError(
        "live-archive-malformed",
        "the file is not a cpio archive of a live system",
        context=[what],
        hint="it is damaged or of another kind: fetch or build it again",
    )
