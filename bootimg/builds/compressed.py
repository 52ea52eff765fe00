"""How an artifact is compressed: by its own format, or by a compressor that `uncompress` can remove.

coreos-assembler marks the first kind with `skip-compression`.  Its powervs images, and images of older
versions of bootimg, also have the digest of the uncompressed content.  `verify` checks that digest, but
such a file is never uncompressed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bootimg.formats.compression.writer import Compressor
from bootimg.platform import Platform

Json = Mapping[str, Any]
_SUFFIXES = {each.suffix: each for each in Compressor if each is not Compressor.NONE}


def skips_compression(entry: Json) -> bool:
    """Whether the artifact of an entry in `images` must be neither compressed nor uncompressed."""
    return bool(entry.get("skip-compression"))


def records_uncompressed(entry: Json) -> bool:
    """Whether an entry records the digest or size of the uncompressed content."""
    return "uncompressed-sha256" in entry or "uncompressed-size" in entry


def plain_name(entry: Json) -> str | None:
    """The name of the file whose digest is `uncompressed-sha256`; None if the entry does not have it."""
    name, dot, end = str(entry["path"]).rpartition(".")
    if skips_compression(entry) or dot + end not in _SUFFIXES or "uncompressed-sha256" not in entry:
        return None
    return name


def uncompressed_name(platform: Platform, entry: Json) -> str | None:
    """The name of the file without its compressor; None if there is no compressor to remove."""
    return None if _as_its_format(platform, str(entry["path"])) else plain_name(entry)


def lost_compressor(platform: Platform, entry: Json) -> Compressor | None:
    """The compressor that the platform's format requires, if it was removed by mistake.

    Older versions of bootimg did so: their `uncompress` left a tar although Google Cloud needs a tar.gz.
    """
    path = str(entry["path"])
    if not platform.skip_compression or skips_compression(entry) or _as_its_format(platform, path):
        return None
    found = (each for end, each in _SUFFIXES.items() if _as_its_format(platform, path + end))
    return next(found, None)


def _as_its_format(platform: Platform, path: str) -> bool:
    return platform.skip_compression and path.endswith(f".{platform.suffix}")
