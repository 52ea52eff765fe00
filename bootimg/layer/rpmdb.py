"""The packages of a tree, out of RPM's sqlite database.  Neither rpm nor anything of the tree is run.

The database is anybody's: what is asked of sqlite is bounded, and a header is read within its bounds.
The header's form is that of rpm's documentation (format_header): two counts, an index, the data.
"""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bootimg.errors import BootimgError
from bootimg.layer.entry import Kind
from bootimg.layer.tree import Tree

# Where ostree's systems have it, where Fedora has it now, where it used to be.
_FOLDERS = ("usr/share/rpm", "usr/lib/sysimage/rpm", "var/lib/rpm")
_NAME = "rpmdb.sqlite"
_LIMIT = 1 << 30
"""Bytes of the database and its write-ahead log."""
_HEADER_LIMIT = 256 << 20
_STEPS = 20_000
"""How often a thousand of sqlite's instructions may be run: some seconds."""
_TAGS = {1000: "name", 1001: "version", 1002: "release", 1003: "epoch", 1022: "arch"}
_INT32, _STRING = 4, 6


@dataclass(frozen=True, slots=True, order=True)
class Package:
    """An installed package; `epoch` and `arch` are None where the header has none (keys have no arch)."""

    name: str
    epoch: int | None
    version: str
    release: str
    arch: str | None

    @property
    def nevra(self) -> str:
        """As `rpm -qa` with `%{NEVRA}` has it."""
        epoch = "" if self.epoch is None else f"{self.epoch}:"
        arch = "" if self.arch is None else f".{self.arch}"
        return f"{self.name}-{epoch}{self.version}-{self.release}{arch}"


def read_packages(tree: Tree, folder: Path) -> list[Package] | None:
    """The packages by name; None where the tree has no RPM database.

    `folder` is for a temporary copy.  Errors: `rpmdb-unreadable`.
    """
    place = next((each for each in _FOLDERS if tree.exists(f"{each}/{_NAME}")), None)
    if place is None:
        return None
    with TemporaryDirectory(prefix="rpmdb-", dir=folder) as copy:
        for name in (_NAME, f"{_NAME}-wal"):
            _copy(tree, f"{place}/{name}", Path(copy) / name)
        try:
            return sorted(map(_package, _headers(Path(copy) / _NAME)), key=lambda each: each.nevra)
        except (sqlite3.Error, ValueError) as error:
            raise _unreadable(str(error)) from error


def _copy(tree: Tree, path: str, target: Path) -> None:
    found = tree.resolve(path)
    entry = tree.entries.get(found) if found else None
    if entry is None and target.suffix != ".sqlite":
        return
    if entry is None or entry.kind is not Kind.FILE or entry.size > _LIMIT:
        raise _unreadable(f"/{path} is no file of a gigabyte at most")
    with target.open("wb") as handle:
        for chunk in tree.chunks(entry):
            handle.write(chunk)


def _headers(database: Path) -> Iterator[bytes]:
    with closing(sqlite3.connect(database)) as connection:
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _HEADER_LIMIT)
        left = iter(range(_STEPS))
        # Ends the query when it returns something other than zero: "Packages" may be an endless view.
        connection.set_progress_handler(lambda: next(left, None) is None, 1000)
        connection.execute("PRAGMA trusted_schema = OFF")
        for (blob,) in connection.execute("SELECT blob FROM Packages"):
            if not isinstance(blob, bytes):
                raise ValueError("a header is no blob")
            yield blob


def _package(header: bytes) -> Package:
    try:
        tags = _tags(header)
        epoch = tags.get("epoch")
        return Package(
            name=str(tags["name"]),
            epoch=None if epoch is None else int(epoch),
            version=str(tags["version"]),
            release=str(tags["release"]),
            arch=None if tags.get("arch") is None else str(tags["arch"]),
        )
    except (struct.error, IndexError, KeyError) as error:
        raise ValueError(f"a header is damaged: {error}") from error


def _tags(header: bytes) -> Mapping[str, str | int]:
    entries, size = struct.unpack_from(">II", header)
    start = 8 + 16 * entries
    if start + size != len(header):
        raise ValueError(f"a header of {len(header)} bytes says that it has {start + size}")
    found: dict[str, str | int] = {}
    for number in range(entries):
        tag, kind, offset, _ = struct.unpack_from(">IIII", header, 8 + 16 * number)
        if tag not in _TAGS:
            continue
        at = start + offset
        if kind == _INT32:
            (found[_TAGS[tag]],) = struct.unpack_from(">I", header, at)
        elif kind == _STRING:
            found[_TAGS[tag]] = header[at : header.index(b"\0", at)].decode(errors="replace")
    return found


def _unreadable(why: str) -> BootimgError:
    return BootimgError(
        "rpmdb-unreadable",
        f"the image's RPM database cannot be read: {why}",
        hint="the image is damaged, or was made by an rpm that has another kind of database",
    )
