"""Package databases and lists: RPM's sqlite database and headers, dpkg's status file, oc's list cache."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from bootimg.rpmdb.dpkg import read_status, split_version
from bootimg.rpmdb.header import package_of
from bootimg.rpmdb.lists import all_versions, difference, dump_list, in_order, parse_list, versions
from bootimg.rpmdb.package import Package
from bootimg.rpmdb.sqlitedb import NAME, unreadable
from bootimg.rpmdb.sqlitereader import packages_of
from tests.fuzz.mutate import json_documents
from tests.fuzz.target import refusals, target
from tests.unit.rpmdb.test_database import database, header

HEADERS = (
    header(name="bash", version="5.2.26", release="1.el9", epoch=1, arch="x86_64", vendor="v", source="s"),
    header(name="gpg-pubkey", version="1", release="2"),
)
_TABLE = "CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob BLOB)"
SQL = (
    "CREATE TABLE",
    "CREATE VIEW Packages AS",
    "WITH RECURSIVE",
    "Packages",
    "blob",
    "hnum",
    "sqlite_master",
)


def _used(packages: list[Package]) -> None:
    """What is done with every list of packages."""
    listed = in_order(packages)
    json.dumps([versions(listed), all_versions(listed), difference(versions(listed), {})])
    again = parse_list(dump_list(listed), "again")
    assert [each.evra for each in again] == [each.evra for each in listed]


@target(lambda: HEADERS, words=("\0\0\3\xe8", "\0\0\0\6", "\0\0\0\4"), runs=3000)
def rpm_header(data: bytes, folder: Path) -> None:
    """A header's blob: a package, or a ValueError that the database's reader knows."""
    try:
        package = package_of(data)
    except ValueError:
        return
    assert package.name and package.version
    assert package.nevra.startswith(package.name)


@target(lambda: [b"".join(HEADERS), HEADERS[0] * 3], runs=400)
def rpmdb_headers(data: bytes, folder: Path) -> None:
    """A well-formed database whose headers are pieces of the input."""
    path = folder / NAME
    path.unlink(missing_ok=True)
    step = max(len(HEADERS[0]), len(data) // 8)
    database(path, blobs=tuple(data[at : at + step] for at in range(0, len(data), step)))
    with refusals():
        _used(_packages_in(path))


@cache
def _logged() -> tuple[bytes, bytes]:
    """A database and its write-ahead log."""
    with TemporaryDirectory() as folder, closing(sqlite3.connect(Path(folder) / NAME)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(_TABLE)
        connection.executemany("INSERT INTO Packages (blob) VALUES (?)", [(each,) for each in HEADERS])
        connection.commit()
        return (Path(folder) / NAME).read_bytes(), Path(folder, f"{NAME}-wal").read_bytes()


def _databases() -> Iterator[bytes]:
    with TemporaryDirectory() as folder:
        yield database(Path(folder) / "one", "PRAGMA page_size = 512", _TABLE, blobs=HEADERS)
        yield database(Path(folder) / "view", "PRAGMA page_size = 512",
                       "CREATE VIEW Packages AS SELECT zeroblob(9) AS blob")  # fmt: skip
        yield database(Path(folder) / "computed", "PRAGMA page_size = 512",
                       "CREATE TABLE Packages (blob AS (zeroblob(9)), x)")  # fmt: skip
        endless = (
            "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x FROM n) SELECT zeroblob(9) AS blob FROM n"
        )
        yield database(
            Path(folder) / "endless", "PRAGMA page_size = 512", f"CREATE VIEW Packages AS {endless}"
        )


@target(_databases, words=SQL, runs=300, longest=4096)
def rpmdb(data: bytes, folder: Path) -> None:
    """The bytes of a database."""
    _read(folder, data, None)


@target(lambda: [_logged()[1]], words=SQL, runs=300, longest=16384)
def rpmdb_wal(data: bytes, folder: Path) -> None:
    """The bytes of a database's write-ahead log."""
    _read(folder, _logged()[0], data)


def _read(folder: Path, data: bytes, log: bytes | None) -> None:
    for path in folder.glob(f"{NAME}*"):
        path.unlink()
    (folder / NAME).write_bytes(data)
    if log is not None:
        (folder / f"{NAME}-wal").write_bytes(log)
    with refusals():
        _used(_packages_in(folder / NAME))


def _packages_in(path: Path) -> list[Package]:
    """What the worker does, in this process: starting one for each input would take a minute."""
    try:
        return packages_of(path)
    except (sqlite3.Error, ValueError, MemoryError) as error:
        raise unreadable(str(error)) from error


STATUS = b"""Package: bash
Status: install ok installed
Architecture: amd64
Maintainer: M <m@example.com>
Source: bash (5.2)
Version: 1:5.2.15-2+b7
Description: shell
 more
 .

Package: gone
Status: deinstall ok config-files
Version: 1
"""


@target(
    lambda: [STATUS], words=("Package: ", "Version: ", "Status: install ok installed\n", "\n\n", "Source: ")
)
def dpkg_status(data: bytes, folder: Path) -> None:
    """dpkg's status file: packages, or a ValueError that the trees' readers know."""
    try:
        found = read_status(data.decode(errors="replace"))
    except ValueError:
        return
    for each in found:
        # Without its epoch of 0 a version with colons reads as another.
        if each.epoch or ":" not in each.evr:
            assert split_version(each.evr) == (each.epoch or None, each.version, each.release)
    with refusals():
        _used(found)


def _lists() -> Iterator[bytes]:
    yield b'{"rpmdb.pkglist": [["bash", "0", "5.2", "1.el9", "x86_64"], ["a", "(none)", "1", "2", "(none)"]]}'


@target(_lists, words=("rpmdb.pkglist", "(none)", "gpg-pubkey"), mutate=json_documents)
def package_list(data: bytes, folder: Path) -> None:
    """A list as oc keeps it: written again it is the same list."""
    with refusals():
        _used(parse_list(data, "sha256_x"))
