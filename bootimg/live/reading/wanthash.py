"""The checksums of a rootfs image in an initramfs, as they are read: the format is in `live.streamhash`."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from bootimg.live.malformed import MalformedError
from bootimg.live.reading.region import Region
from bootimg.sizes import MIB

_HEADER = re.compile(r"stream-hash sha256 ([1-9][0-9]{0,9})")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_LARGEST_CHUNK = 64 * MIB
"""The largest chunk that `rdcore stream-hash` takes."""


@dataclass(frozen=True, slots=True)
class Compared:
    """An image that was read: its SHA-256, and what differs from the checksums; None if nothing does."""

    sha256: str
    difference: str | None


@dataclass(frozen=True, slots=True)
class WantedHash:
    """The digests of an image's chunks, in order; each chunk has `chunk` bytes, the last may have fewer."""

    chunk: int
    digests: tuple[str, ...]

    def compare(self, image: Region) -> Compared:
        """Read an image once, and compare it."""
        whole, difference, count = hashlib.sha256(), None, -(-image.length // self.chunk)
        if count != len(self.digests):
            difference = f"{len(self.digests)} checksums for {count} chunks"
        for number, data in enumerate(image.chunks(self.chunk)):
            whole.update(data)
            if difference is None and hashlib.sha256(data).hexdigest() != self.digests[number]:
                difference = f"the chunk of {self.chunk} bytes at {number * self.chunk} has another checksum"
        return Compared(whole.hexdigest(), difference)


def parse_want(data: bytes) -> WantedHash:
    """Read the checksums; MalformedError says what is wrong with them."""
    first, *lines = data.decode("ascii", errors="replace").splitlines() or [""]
    header = _HEADER.fullmatch(first)
    if header is None or int(header[1]) > _LARGEST_CHUNK:
        raise MalformedError(f"the first line is {first!r:.80}")
    for line in lines:
        if not _DIGEST.fullmatch(line):
            raise MalformedError(f"{line!r:.80} is not a SHA-256")
    return WantedHash(int(header[1]), tuple(lines))


def sha256_of(image: Region) -> str:
    """The SHA-256 of a region, in hex."""
    digest = hashlib.sha256()
    for data in image.chunks(MIB):
        digest.update(data)
    return digest.hexdigest()
