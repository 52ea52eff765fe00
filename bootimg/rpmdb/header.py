"""Reads a package from its header in RPM's database.

The header's format is in rpm's documentation (format_header): two counts, an index, the data.  All reads
are checked against its bounds, because the database is untrusted.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from bootimg.rpmdb.package import Package

_TAGS = {
    1000: "name",
    1001: "version",
    1002: "release",
    1003: "epoch",
    1011: "vendor",
    1022: "arch",
    1044: "source",
}
_INT32, _STRING = 4, 6
_MAX_TEXT = 4096
"""The most bytes of a text, far more than any name or version has."""


def package_of(header: bytes) -> Package:
    """The package that a header (without magic number) describes; `ValueError` if the header is invalid."""
    try:
        tags = _tags(header)
        epoch = tags.get("epoch")
        package = Package(
            name=str(tags["name"]),
            epoch=None if epoch is None else int(epoch),
            version=str(tags["version"]),
            release=str(tags["release"]),
            arch=_text(tags, "arch"),
            vendor=_text(tags, "vendor"),
            source=_text(tags, "source"),
        )
    except (struct.error, KeyError) as error:
        raise ValueError(f"a header is damaged: {error}") from error
    if not (package.name and package.version):
        raise ValueError("a header has no name or no version")
    return package


def _text(tags: Mapping[str, str | int], name: str) -> str | None:
    return str(tags[name]) or None if name in tags else None


def _tags(header: bytes) -> Mapping[str, str | int]:
    entries, size = struct.unpack_from(">II", header)
    start = 8 + 16 * entries
    if start + size != len(header):
        raise ValueError(f"a header of {len(header)} bytes declares {start + size} bytes")
    found: dict[str, str | int] = {}
    for number in range(entries):
        tag, kind, offset, _ = struct.unpack_from(">IIII", header, 8 + 16 * number)
        if tag not in _TAGS:
            continue
        at = start + offset
        if kind == _INT32:
            (found[_TAGS[tag]],) = struct.unpack_from(">I", header, at)
        elif kind == _STRING:
            found[_TAGS[tag]] = header[at : header.index(b"\0", at, at + _MAX_TEXT)].decode(errors="replace")
    return found
