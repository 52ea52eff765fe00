"""The packages in dpkg's status file, for systems made from Debian packages.

The format is that of deb-control(5): paragraphs separated by empty lines, `Field: value`, and continuation
lines that begin with a space.  The fields are those of dpkg-query(1).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bootimg.rpmdb.package import Kind, Package
from bootimg.sizes import MIB

_WANTED = ("Package", "Status", "Version", "Architecture", "Maintainer", "Source")
_PRESENT = "installed"
STATUS_LIMIT = 64 * MIB
"""The most bytes of the file; a desktop's has some."""


def read_status(text: str) -> list[Package]:
    """The installed packages, in the file's order; `ValueError` if it is not a status file."""
    return [_package(each) for each in _paragraphs(text) if each.get("Status", "").split()[-1:] == [_PRESENT]]


def _paragraphs(text: str) -> Iterator[Mapping[str, str]]:
    found: dict[str, str] = {}
    # Not splitlines(): for dpkg a form feed or U+2028 in a description does not end a line.
    for line in text.split("\n"):
        if not line.strip():
            if found:
                yield found
            found = {}
        elif not line[0].isspace():
            name, colon, value = line.partition(":")
            if not colon:
                raise ValueError(f"{line[:80]!r} is not a field")
            if name in _WANTED:
                found[name] = value.strip()
    if found:
        yield found


def _package(fields: Mapping[str, str]) -> Package:
    name, version = fields.get("Package"), fields.get("Version")
    if not name or not version:
        raise ValueError(f"a package has no name or no version: {dict(fields)}"[:200])
    epoch, version, revision = split_version(version)
    return Package(
        name=name,
        epoch=epoch,
        version=version,
        release=revision,
        arch=fields.get("Architecture") or None,
        vendor=fields.get("Maintainer") or None,
        source=fields.get("Source", name).split(" ")[0],
        kind=Kind.DEB,
    )


def split_version(version: str) -> tuple[int | None, str, str]:
    """Epoch, upstream version and revision of a version (deb-version(7)); `ValueError` if it is not valid."""
    before, colon, rest = version.partition(":")
    if colon and not (before.isascii() and before.isdigit()):
        raise ValueError(f"{version[:80]!r} is not a version")
    upstream, hyphen, revision = (rest if colon else version).rpartition("-")
    if not hyphen:
        upstream, revision = revision, ""
    if not upstream:
        raise ValueError(f"{version[:80]!r} is not a version")
    return int(before) if colon else None, upstream, revision
