"""The packages in RPM's sqlite database.  Neither rpm nor a program of the tree is run.

The database is untrusted, so the work of sqlite is limited.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from bootimg.errors import BootimgError
from bootimg.layer.tar.entry import Kind
from bootimg.layer.tree.merged import Tree
from bootimg.rpmdb.header import package_of
from bootimg.rpmdb.package import Package

NAME = "rpmdb.sqlite"
OTHERS = {"Packages": "Berkeley DB, as in RHEL 8", "Packages.db": "ndb, as in SUSE"}
"""The files of RPM's other databases."""
LIMIT = 1 << 30
"""The most bytes of the database, and of its write-ahead log."""
_HEADER_LIMIT = 256 << 20
_MAX_STEPS = 20_000
"""The limit on sqlite's instructions, in thousands; they take some seconds."""
MOST = 100_000
"""The most packages; an operating system has some thousands."""


def read_sqlite(tree: Tree, place: str, folder: Path) -> list[Package]:
    """The packages of the database in the directory `place`, in no fixed order.

    `folder` is for a temporary copy.  Errors: `rpmdb-unreadable`.
    """
    with TemporaryDirectory(prefix="rpmdb-", dir=folder) as copy:
        for name in (NAME, f"{NAME}-wal"):
            _copy(tree, f"{place}/{name}", Path(copy) / name)
        return packages_in(Path(copy) / NAME)


def packages_in(database: Path) -> list[Package]:
    """The packages of a database file, which sqlite may write to; `rpmdb-unreadable`."""
    try:
        return [package_of(header) for header in _headers(database)]
    except (sqlite3.Error, ValueError, MemoryError) as error:
        # For some damaged files sqlite reports that it has no memory.
        raise unreadable(str(error) or "sqlite has no memory for it") from error


def _copy(tree: Tree, path: str, target: Path) -> None:
    found = tree.resolve(path)
    entry = tree.entries.get(found) if found else None
    if entry is None and target.suffix != ".sqlite":
        return
    if entry is None or entry.kind is not Kind.FILE or entry.size > LIMIT:
        raise unreadable(f"/{path} is not a file of at most a gigabyte")
    with target.open("wb") as handle:
        for chunk in tree.chunks(entry):
            handle.write(chunk)


def _headers(database: Path) -> Iterator[bytes]:
    with closing(sqlite3.connect(database)) as connection:
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _HEADER_LIMIT)
        left = iter(range(_MAX_STEPS))
        # A result other than zero ends the query: "Packages" may be an endless view.
        connection.set_progress_handler(lambda: next(left, None) is None, 1000)
        connection.execute("PRAGMA trusted_schema = OFF")
        for number, (blob,) in enumerate(connection.execute("SELECT blob FROM Packages")):
            if not isinstance(blob, bytes):
                raise ValueError("a header is not a blob")
            if number == MOST:
                raise ValueError(f"it has more than {MOST} packages")
            yield blob


def unreadable(why: str, hint: str = "the image is damaged: make it again") -> BootimgError:
    """The error for a package database that exists but cannot be read."""
    return BootimgError("rpmdb-unreadable", f"the image's package database cannot be read: {why}", hint=hint)


def other_kind(path: str, name: str) -> BootimgError:
    """The error for a database of an unsupported kind; `name` is one of `OTHERS`."""
    return unreadable(
        f"/{path} is of another kind ({OTHERS[name]}), but only {NAME} is read",
        "convert it where the image is made: run `rpmdb --rebuilddb` of an rpm whose %_db_backend is sqlite",
    )
