"""Reads RPM's sqlite database; `python -m` this prints the packages of a database file.

The database is untrusted.  Reading runs in a process of its own (`bootimg.untrusted.worker`), and the schema
is looked at first.  Only tables and their indexes may be there: views and computed columns are programs.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import astuple
from pathlib import Path

from bootimg.rpmdb.header import package_of
from bootimg.rpmdb.package import Package
from bootimg.untrusted.answer import give_answer

MOST = 100_000
"""The most packages; an operating system has some thousands."""
_HEADER_LIMIT = 64 << 20
_MOST_TABLES = 1000
_KINDS = ("table", "index")
_SETTINGS = ("trusted_schema = OFF", "cell_size_check = ON", "query_only = ON", "mmap_size = 0")
_READING = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ)


def packages_of(database: Path) -> list[Package]:
    """The packages, in no fixed order; sqlite3.Error, ValueError or MemoryError for other databases."""
    with closing(_open(database)) as connection:
        _check_schema(connection)
        connection.set_authorizer(_only_reading)
        return [package_of(header) for header in _headers(connection)]


def _open(database: Path) -> sqlite3.Connection:
    log = database.with_name(f"{database.name}-wal")
    # An immutable database has no write-ahead log.
    logged = log.exists() and log.stat().st_size
    mode = "mode=ro" if logged else "mode=ro&immutable=1"
    connection = sqlite3.connect(f"{database.absolute().as_uri()}?{mode}", uri=True)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _HEADER_LIMIT)
    if sys.version_info >= (3, 12):
        connection.setconfig(sqlite3.SQLITE_DBCONFIG_DEFENSIVE)
        connection.setconfig(sqlite3.SQLITE_DBCONFIG_ENABLE_VIEW, False)
        connection.setconfig(sqlite3.SQLITE_DBCONFIG_ENABLE_TRIGGER, False)
    for setting in _SETTINGS:
        connection.execute(f"PRAGMA {setting}")
    return connection


def _check_schema(connection: sqlite3.Connection) -> None:
    for number, (kind, name, root) in enumerate(
        connection.execute("SELECT type, name, rootpage FROM sqlite_master")
    ):
        if number == _MOST_TABLES:
            raise ValueError(f"it has more than {_MOST_TABLES} tables and indexes")
        # A virtual table has no page.
        if kind not in _KINDS or not isinstance(root, int) or root < 1:
            raise ValueError(f"it has {name!r:.80}, which is not a table or an index but a program")
    # Columns: number, name, type, not null, default, primary key, hidden (not 0 if it is generated).
    columns = connection.execute('PRAGMA table_xinfo("Packages")').fetchall()
    if any(column[-1] for column in columns):
        raise ValueError("its table Packages has columns that are computed")


def _only_reading(action: int, *_: str | None) -> int:
    return sqlite3.SQLITE_OK if action in _READING else sqlite3.SQLITE_DENY


def _headers(connection: sqlite3.Connection) -> Iterator[bytes]:
    for number, (blob,) in enumerate(connection.execute("SELECT blob FROM Packages NOT INDEXED")):
        if not isinstance(blob, bytes):
            raise ValueError("a header is not a blob")
        if number == MOST:
            raise ValueError(f"it has more than {MOST} packages")
        yield blob


def _rows(database: Path) -> list[tuple[str | int | None, ...]]:
    return [astuple(each)[:-1] for each in packages_of(database)]


if __name__ == "__main__":
    give_answer(lambda: _rows(Path(sys.argv[1])), sqlite3.Error, ValueError)
