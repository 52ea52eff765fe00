"""Who has compressed an artifact: its own format, or a compressor that can be taken off again.

coreos-assembler marks the first kind with `skip-compression`.  Its powervs has the digest of what was
compressed beside that, and so had images of older versions of bootimg: that is checked, and never undone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bootimg.formats.compression.writer import Compressor
from bootimg.platform import Platform

Json = Mapping[str, Any]
_SUFFIXES = {each.suffix: each for each in Compressor if each is not Compressor.NONE}


def stays_as_it_is(entry: Json) -> bool:
    """Whether the artifact of an entry in `images` is neither to be compressed nor to be uncompressed."""
    return bool(entry.get("skip-compression"))


def says_uncompressed(entry: Json) -> bool:
    """Whether an entry says what the file holds uncompressed."""
    return "uncompressed-sha256" in entry or "uncompressed-size" in entry


def uncompressed_name(platform: Platform, entry: Json) -> str | None:
    """The name of the file without its compressor; None where there is nothing to take off."""
    path = str(entry["path"])
    name, dot, end = path.rpartition(".")
    if stays_as_it_is(entry) or dot + end not in _SUFFIXES or "uncompressed-sha256" not in entry:
        return None
    return None if _as_its_format(platform, path) else name


def lost_compressor(platform: Platform, entry: Json) -> Compressor | None:
    """The compressor that belongs to the platform's format and was taken off all the same.

    Older versions of bootimg did so: their `uncompress` left a tar where Google Cloud takes a tar.gz.
    """
    path = str(entry["path"])
    if not platform.skip_compression or stays_as_it_is(entry) or _as_its_format(platform, path):
        return None
    found = (each for end, each in _SUFFIXES.items() if _as_its_format(platform, path + end))
    return next(found, None)


def _as_its_format(platform: Platform, path: str) -> bool:
    return platform.skip_compression and path.endswith(f".{platform.suffix}")
