"""The file coreos/miniso.dat of a live ISO, version 1 of the format.

Source: coreos-installer, src/miniso.rs.  There has been no other version.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import pairwise
from typing import NamedTuple

from bootimg.errors import BootimgError, ExitCode
from bootimg.live.bincode import U32, Decoder, blob, number, text
from bootimg.live.iso.sectors import SECTOR
from bootimg.live.malformed import MalformedError
from bootimg.sizes import MIB

MAGIC = b"MINISO\0\0"
VERSION = 1
LARGEST = MIB
"""The most bytes that coreos-installer reads."""
_DIGEST = 32
_TEXT = 4096
_ENTRIES = 1 << 16


class Shared(NamedTuple):
    """`length` bytes that both ISOs have: from the sector `minimal` of the one, `full` of the other."""

    minimal: int
    full: int
    length: int

    @property
    def start(self) -> int:
        """The first byte in the minimal ISO."""
        return self.minimal * SECTOR

    @property
    def end(self) -> int:
        """The byte after the last one in the minimal ISO."""
        return self.start + self.length


@dataclass(frozen=True, slots=True)
class Miniso:
    """What both ISOs share, the minimal ISO's SHA-256, and the rest of it, compressed with xz.

    `app_version` names the writer, for information.
    """

    app_version: str
    shared: Sequence[Shared]
    digest: bytes
    packed: bytes

    def encoded(self) -> bytes:
        """The content of the file, without the zeros after it."""
        parts = [MAGIC, number(VERSION), text(self.app_version), number(len(self.shared))]
        parts += (number(value) for each in self.shared for value in each)
        return b"".join([*parts, self.digest, blob(self.packed)])


def decode_miniso(data: bytes) -> Miniso:
    """Read the content of the file; zeros may follow.

    Raises `miniso-damaged`, and `miniso-version-unsupported` for another version of the format.
    """
    try:
        return _decode(Decoder(BytesIO(data)))
    except MalformedError as error:
        raise damaged(str(error)) from None


def _decode(decoder: Decoder) -> Miniso:
    if decoder.array(len(MAGIC)) != MAGIC:
        raise MalformedError("it does not begin as such a file")
    version = decoder.number(U32)
    if version != VERSION:
        raise BootimgError(
            "miniso-version-unsupported",
            f"the ISO's miniso.dat has version {version} of the format, and bootimg knows only {VERSION}",
            hint="use the coreos-installer of the same release as the ISO",
            exit_code=ExitCode.USAGE,
        )
    app_version = decoder.text(_TEXT)
    shared = [Shared(*(decoder.number(U32) for _ in range(3))) for _ in range(decoder.number(_ENTRIES))]
    for before, after in pairwise(shared):
        if before.end > after.start:
            raise MalformedError(f"files overlap at the sector {after.minimal}")
    if not shared:
        raise MalformedError("the ISOs share nothing")
    return Miniso(app_version, shared, decoder.array(_DIGEST), decoder.blob(LARGEST))


def damaged(why: str) -> BootimgError:
    """The file was changed, or its data is wrong."""
    return BootimgError(
        "miniso-damaged",
        f"the ISO's miniso.dat is damaged: {why}",
        hint="get the ISO again",
        exit_code=ExitCode.USAGE,
    )
