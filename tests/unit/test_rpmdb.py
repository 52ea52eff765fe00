"""The packages of a layer, against rpm's own answer."""

from __future__ import annotations

import os
import shutil
import sqlite3
import struct
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootimg.errors import BootimgError
from bootimg.layer.rpmdb import Package, _package, read_packages
from bootimg.layer.tree import Tree
from tests.layer.rpmdb import Evr, make_rpmdb
from tests.unit import oci
from tests.unit.test_layer_declares import tree_of

PLACE = "usr/share/rpm/rpmdb.sqlite"
EVRS = {"bash": Evr(0, "5.2.26", "1.el9"), "grub2-tools": Evr(1, "2.06", "80.el9_4")}
needs_rpm = pytest.mark.skipif(not shutil.which("rpmbuild"), reason="rpmbuild is not installed")


def header(**tags: str | int) -> bytes:
    """A header with these tags alone."""
    numbers = {"name": 1000, "version": 1001, "release": 1002, "epoch": 1003, "arch": 1022}
    index, data = b"", b""
    for name, value in tags.items():
        packed = struct.pack(">I", value) if isinstance(value, int) else value.encode() + b"\0"
        index += struct.pack(">IIII", numbers[name], 4 if isinstance(value, int) else 6, len(data), 1)
        data += packed
    return struct.pack(">II", len(tags), len(data)) + index + data


def database(path: Path, *statements: str, blobs: tuple[object, ...] = ()) -> bytes:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements or ("CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob BLOB)",):
            connection.execute(statement)
        for blob in blobs:
            connection.execute("INSERT INTO Packages (blob) VALUES (?)", (blob,))
        connection.commit()
    return path.read_bytes()


@pytest.fixture
def tree(tmp_path: Path) -> Callable[[bytes], Tree]:
    return lambda data: tree_of(tmp_path, oci.file(PLACE, data))


@needs_rpm
def test_rpm_says_the_same(tree: Callable[[bytes], Tree], tmp_path: Path) -> None:
    data = make_rpmdb(EVRS)
    (tmp_path / "rpmdb.sqlite").write_bytes(data)
    argv = ["rpm", f"--dbpath={tmp_path}", "--define", "_db_backend sqlite", "-qa", "--qf", r"%{NEVRA}\n"]
    said = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    found = read_packages(tree(data), tmp_path)
    assert found is not None
    assert sorted(each.nevra for each in found) == sorted(said.split())
    assert found[1] == Package("grub2-tools", 1, "2.06", "80.el9_4", "x86_64")


def test_what_the_write_ahead_log_has_counts(tmp_path: Path) -> None:
    path = tmp_path / "live.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob BLOB)")
        blob = header(name="late", version="1", release="2")
        connection.execute("INSERT INTO Packages (blob) VALUES (?)", (blob,))
        connection.commit()
        log = Path(f"{path}-wal").read_bytes()
        assert log
        members = [oci.file(PLACE, path.read_bytes()), oci.file(f"{PLACE}-wal", log)]
        assert read_packages(tree_of(tmp_path, *members), tmp_path) == [Package("late", None, "1", "2", None)]


def test_a_tree_without_a_database(tmp_path: Path) -> None:
    assert read_packages(tree_of(tmp_path, oci.file("usr/x")), tmp_path) is None


ENDLESS = (
    "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x AS blob FROM n WHERE x < 0"
)


@pytest.mark.parametrize(
    "data",
    [
        lambda path: b"no database",
        lambda path: database(path, "CREATE TABLE Other (x)", "CREATE TABLE Packages (blob)", blobs=(7,)),
        lambda path: database(path, blobs=(b"",)),
        lambda path: database(path, blobs=(header(version="1", release="1"),)),
        lambda path: database(path, blobs=(header(name="x", version="1", release="1") + b"more",)),
        lambda path: database(path, f"CREATE VIEW Packages AS {ENDLESS}"),
    ],
    ids=["garbage", "no-blob", "empty", "no-name", "longer", "endless"],
)
def test_what_cannot_be_read_is_said(
    data: Callable[[Path], bytes], tree: Callable[[bytes], Tree], tmp_path: Path
) -> None:
    with pytest.raises(BootimgError) as caught:
        read_packages(tree(data(tmp_path / "made.sqlite")), tmp_path)
    assert caught.value.id == "rpmdb-unreadable"
    assert not list(tmp_path.glob("rpmdb-*"))


def test_a_link_out_of_the_tree_is_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside.sqlite"
    database(outside)
    members = [oci.folder("usr/share/rpm"), oci.symlink(PLACE, os.fspath(outside))]
    assert read_packages(tree_of(tmp_path, *members), tmp_path) is None


@given(st.binary(max_size=200) | st.builds(lambda at, by: mutated(at, by), st.integers(0, 60), st.binary()))
def test_any_header_is_read_or_refused(blob: bytes) -> None:
    try:
        assert _package(blob).nevra
    except ValueError as error:
        assert str(error)


def mutated(at: int, by: bytes) -> bytes:
    whole = header(name="x", epoch=1, version="1", release="1", arch="noarch")
    return whole[:at] + by + whole[at + len(by) :]
