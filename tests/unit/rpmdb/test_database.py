"""The packages of a tree, against rpm's and dpkg's own answers."""

from __future__ import annotations

import os
import shutil
import sqlite3
import struct
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootimg.arch import Arch
from bootimg.cache import Cache
from bootimg.errors import BootimgError
from bootimg.events import Events
from bootimg.layer.fetching.fetch import fetch
from bootimg.layer.tree.merged import Tree, open_tree
from bootimg.rpmdb import sqlitedb, sqlitereader
from bootimg.rpmdb.dpkg import read_status, split_version
from bootimg.rpmdb.header import package_of
from bootimg.rpmdb.package import Kind, Package
from bootimg.rpmdb.read import read_packages
from tests.layer.rpmdb import Evr, make_rpmdb
from tests.support.layers import oci
from tests.support.layers.encapsulated import SYSTEM, Commit, File
from tests.support.layers.rpms import Rpm, make_database, needs_rpm, query
from tests.unit.layer.test_declares import tree_of

PLACE = "usr/share/rpm/rpmdb.sqlite"
EVRS = {"bash": Evr(0, "5.2.26", "1.el9"), "grub2-tools": Evr(1, "2.06", "80.el9_4")}
RPMS = [
    Rpm("bash", "5.1.8", "9.el9"),
    Rpm("grub2-tools", "2.06", "80.el9_4", epoch=1),
    Rpm("kernel", "5.14.0", "570.el9", epoch=0),
    Rpm("kernel", "5.14.0", "572.el9", epoch=0),
    Rpm("glibc", "2.34", "60~rc1^git1.el9"),
    Rpm("glibc", "2.34", "60~rc1^git1.el9", arch="i686"),
    Rpm("tzdata", "2026a", "1.el9", arch="noarch"),
]


def header(**tags: str | int) -> bytes:
    """A header with these tags alone."""
    numbers = {"name": 1000, "version": 1001, "release": 1002, "epoch": 1003, "arch": 1022,
               "vendor": 1011, "source": 1044}  # fmt: skip
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


def one(folder: Path, name: str) -> bytes:
    """The database of one package of that name."""
    return database(folder / f"{name}.made", blobs=(header(name=name, version="1", release="1"),))


def names(tree: Tree, folder: Path) -> list[str] | None:
    found = read_packages(tree, folder)
    return None if found is None else [each.name for each in found]


def layered(folder: Path, *layers: list[oci.Member]) -> Tree:
    """The tree of a bootable layer with these on top."""
    layout = oci.Layout(folder / "layered")
    layout.add([oci.bootable(), *(oci.tar(*members) for members in layers)])
    return opened(layout, folder)


def opened(layout: oci.Layout, folder: Path) -> Tree:
    cache = Cache(folder / "cache")
    image = fetch(str(layout.path), arch=Arch.X86_64, cache=cache, events=Events())
    return open_tree(image, cache, Events())


@pytest.fixture
def tree(tmp_path: Path) -> Callable[[bytes], Tree]:
    return lambda data: tree_of(tmp_path, oci.file(PLACE, data))


@needs_rpm
def test_rpm_says_the_same_of_a_layer_s_database(tree: Callable[[bytes], Tree], tmp_path: Path) -> None:
    data = make_rpmdb(EVRS)
    (tmp_path / "rpmdb.sqlite").write_bytes(data)
    found = read_packages(tree(data), tmp_path)
    assert found is not None
    assert [[each.nevra] for each in found] == query(tmp_path, "NEVRA")
    wanted = Package("grub2-tools", 1, "2.06", "80.el9_4", "x86_64", "stand-in", "stand-in-1-1.src.rpm")
    assert found[1] == wanted


@needs_rpm
@pytest.mark.parametrize("logged", [False, True])
def test_rpm_says_the_same_of_several_architectures_and_several_of_a_name(
    logged: bool, tmp_path: Path
) -> None:
    made = make_database(RPMS, tmp_path)
    if not logged:
        with closing(sqlite3.connect(made / sqlitedb.NAME)) as connection:
            connection.execute("PRAGMA journal_mode=DELETE")
    files = [path for path in made.iterdir() if path.name in (sqlitedb.NAME, f"{sqlitedb.NAME}-wal")]
    members = [oci.file(f"usr/share/rpm/{path.name}", path.read_bytes()) for path in files]
    found = read_packages(tree_of(tmp_path, *members), tmp_path) or []
    rows = [
        [each.nevra, each.name, str(each.epoch if each.epoch is not None else "(none)"), each.evr,
         str(each.arch), str(each.vendor), str(each.source)]
        for each in found
    ]  # fmt: skip
    tags = ("NEVRA", "NAME", "EPOCH", "EVR", "ARCH", "VENDOR", "SOURCERPM")
    # rpm writes an epoch of 0 where the header has one; what `oc` shows does not.
    said = [[*row[:3], row[3].removeprefix("0:"), *row[4:]] for row in query(made, *tags)]
    assert len(rows) == len(RPMS)
    assert sorted(rows) == said


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


def test_the_uppermost_layer_s_database_counts(tmp_path: Path) -> None:
    lower, upper = one(tmp_path, "lower"), one(tmp_path, "upper")
    tree = layered(tmp_path, [oci.file(PLACE, lower)], [oci.file(PLACE, upper)])
    assert names(tree, tmp_path) == ["upper"]


@pytest.mark.parametrize("whiteout", ["usr/share/rpm/.wh.rpmdb.sqlite", "usr/share/.wh.rpm",
                                      "usr/share/rpm/.wh..wh..opq"])  # fmt: skip
def test_a_database_that_a_layer_removes_is_gone(whiteout: str, tmp_path: Path) -> None:
    members = [oci.file(PLACE, one(tmp_path, "lower"))]
    assert names(layered(tmp_path, members, [oci.file(whiteout)]), tmp_path) is None


@pytest.mark.parametrize("later", [False, True])
def test_a_database_that_is_a_hardlink_of_an_ostree_object(later: bool, tmp_path: Path) -> None:
    target = "sysroot/ostree/repo/objects/ab/cd.file"
    lower = [oci.file(target, one(tmp_path, "linked"))]
    upper = [oci.hardlink(PLACE, target)]
    layers = (lower, upper) if later else ([*lower, *upper],)
    assert names(layered(tmp_path, *layers), tmp_path) == ["linked"]


@pytest.mark.parametrize("derived", [False, True])
def test_the_database_of_an_encapsulated_commit(derived: bool, tmp_path: Path) -> None:
    usr = SYSTEM["usr"]
    assert not isinstance(usr, File)
    share = usr["share"]
    assert not isinstance(share, File)
    files = {"rpmdb.sqlite": File(one(tmp_path, "committed"))}
    commit = Commit({**SYSTEM, "usr": {**usr, "share": {**share, "rpm": files}}})
    layers = [oci.tar(*members) for members in commit.layers()]
    labels = commit.labels(layers)
    upper = [oci.tar(oci.file(PLACE, one(tmp_path, "derived")))] if derived else []
    layout = oci.Layout(tmp_path / "image")
    layout.add([*layers, *upper], labels=labels)
    assert names(opened(layout, tmp_path), tmp_path) == ["derived" if derived else "committed"]


def test_directories_are_tried_in_order_and_symlinks_to_them_are_not(tmp_path: Path) -> None:
    places = ("var/lib/rpm", "usr/lib/sysimage/rpm", "usr/share/rpm")
    databases = {place: one(tmp_path, place.replace("/", "-")) for place in places}
    for number, place in enumerate(places):
        found = [oci.file(f"{each}/rpmdb.sqlite", databases[each]) for each in places[number:]]
        links = [oci.symlink(each, f"/{places[-1]}") for each in places[:number]]
        folder = tmp_path / str(number)
        folder.mkdir()
        assert names(tree_of(folder, *links, *found), tmp_path) == [place.replace("/", "-")]


ENDLESS = (
    "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x AS blob FROM n WHERE x < 0"
)
# One step of sqlite's machine, which no progress handler interrupts.
EXPENSIVE = "SELECT replace(hex(zeroblob(300000000)), '00', hex(zeroblob(9))) AS blob"
COLUMN = "(blob BLOB GENERATED ALWAYS AS (zeroblob(9)) VIRTUAL, x)"
TABLE = "CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob BLOB)"


@pytest.mark.parametrize(
    "data",
    [
        lambda path: b"no database",
        lambda path: database(path, "CREATE TABLE Other (x)", "CREATE TABLE Packages (blob)", blobs=(7,)),
        lambda path: database(path, blobs=(b"",)),
        lambda path: database(path, blobs=(header(version="1", release="1"),)),
        lambda path: database(path, blobs=(header(name="", version="1", release="1"),)),
        lambda path: database(path, blobs=(header(name="x" * 5000, version="1", release="1"),)),
        lambda path: database(path, blobs=(header(name="x", version="1", release="1") + b"more",)),
        lambda path: database(path, f"CREATE VIEW Packages AS {ENDLESS}"),
        lambda path: database(path, f"CREATE VIEW Packages AS {EXPENSIVE}"),
        lambda path: database(path, f"CREATE TABLE Packages {COLUMN}", "INSERT INTO Packages (x) VALUES (1)"),
        lambda path: database(path, TABLE, "CREATE VIEW Other AS SELECT 1"),
        lambda path: database(path, TABLE, "CREATE TRIGGER t AFTER INSERT ON Packages BEGIN SELECT 1; END"),
        lambda path: database(path, TABLE, "CREATE VIRTUAL TABLE v USING fts4(x)"),
        lambda path: database(path, TABLE, "BEGIN", *(f"CREATE TABLE t{each} (x)" for each in range(1000))),
    ],
    ids=["garbage", "no-blob", "empty", "no-name", "empty-name", "long-name", "longer", "endless",
         "expensive", "computed", "view", "trigger", "virtual", "tables"],
)  # fmt: skip
def test_an_unreadable_database_is_reported(
    data: Callable[[Path], bytes], tree: Callable[[bytes], Tree], tmp_path: Path
) -> None:
    begin = time.monotonic()
    with pytest.raises(BootimgError) as caught:
        read_packages(tree(data(tmp_path / "made.sqlite")), tmp_path)
    assert caught.value.id == "rpmdb-unreadable"
    assert time.monotonic() - begin < 15
    assert not list(tmp_path.glob("rpmdb-*"))


def test_a_record_for_which_sqlite_finds_no_memory_is_refused(tmp_path: Path) -> None:
    data = bytearray(database(tmp_path / "made", "PRAGMA page_size = 512", TABLE, blobs=(b"x" * 60,)))
    (cell,) = struct.unpack_from(">H", data, 512 + 8)
    # A size of 2⁶⁴ - 1 bytes, the row's number, and a record header of 105 bytes.
    data[512 + cell : 512 + cell + 12] = b"\xff" * 9 + b"\x01\x69\0"
    (tmp_path / sqlitedb.NAME).write_bytes(data)
    with pytest.raises(BootimgError) as caught:
        sqlitedb.packages_in(tmp_path / sqlitedb.NAME)
    assert caught.value.id == "rpmdb-unreadable"


def test_more_packages_than_any_system_has_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlitereader, "MOST", 2)
    path = tmp_path / sqlitedb.NAME
    database(path, blobs=(header(name="x", version="1", release="1"),) * 3)
    with pytest.raises(ValueError, match="more than 2 packages"):
        sqlitereader.packages_of(path)


def test_a_database_that_is_read_for_hours_is_refused_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlitedb, "_LIMITS", replace(sqlitedb._LIMITS, seconds=2))
    path = tmp_path / sqlitedb.NAME
    path.write_bytes(unfolding(tmp_path))
    assert path.stat().st_size < 10 << 20
    begin = time.monotonic()
    with pytest.raises(BootimgError, match="2 s of processor time") as caught:
        sqlitedb.packages_in(path)
    assert caught.value.id == "rpmdb-unreadable"
    assert time.monotonic() - begin < 60


def unfolding(folder: Path, *, depth: int = 3, width: int = 60) -> bytes:
    """A database whose one header of 8 MiB stands in its table `width` to the power of `depth` times."""
    small, spare = header(name="x", version="1", release="1"), 8 << 20
    (tags, length) = struct.unpack_from(">II", small)
    blob = struct.pack(">II", tags, length + spare) + small[8:] + bytes(spare)
    data = database(folder / "one", "PRAGMA page_size = 512", TABLE, blobs=(blob,))
    pages = [data[at : at + 512] for at in range(0, len(data), 512)]
    (leaf,) = (number for number, page in enumerate(pages[:8], 1) if number > 1 and page[:1] == b"\x0d")
    last = len(pages)
    pages.append(pages[leaf - 1])
    for level in range(depth):
        # Each page of a level names the one page of the level below; the uppermost replaces the root.
        cells = struct.pack(">IB", last + 1 + level, 1) * width
        start = 512 - len(cells)
        page = struct.pack(">BHHHBI", 5, 0, width, start, 0, last + 1 + level)
        page += b"".join(struct.pack(">H", start + 5 * each) for each in range(width))
        pages.append(page.ljust(start, b"\0") + cells)
    pages[leaf - 1] = pages[-1]
    whole = bytearray(b"".join(pages))
    struct.pack_into(">I", whole, 28, len(pages))
    return bytes(whole)


def test_an_index_of_the_packages_is_no_program(tree: Callable[[bytes], Tree], tmp_path: Path) -> None:
    blob = header(name="x", version="1", release="1")
    data = database(tmp_path / "made", TABLE, "CREATE INDEX i ON Packages (blob)", blobs=(blob,))
    assert names(tree(data), tmp_path) == ["x"]


@pytest.mark.parametrize(("name", "word"), [("Packages", "Berkeley DB"), ("Packages.db", "ndb")])
def test_older_kinds_of_database_are_named(name: str, word: str, tmp_path: Path) -> None:
    with pytest.raises(BootimgError, match=word) as caught:
        read_packages(tree_of(tmp_path, oci.file(f"usr/share/rpm/{name}", b"x")), tmp_path)
    assert caught.value.id == "rpmdb-unreadable"


def test_a_link_out_of_the_tree_is_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside.sqlite"
    database(outside)
    members = [oci.folder("usr/share/rpm"), oci.symlink(PLACE, os.fspath(outside))]
    assert read_packages(tree_of(tmp_path, *members), tmp_path) is None


def test_a_text_that_is_empty_is_as_good_as_none() -> None:
    found = package_of(header(name="a", version="1", release="1", arch="", vendor="", source=""))
    assert (found.nevra, found.vendor, found.source) == ("a-1-1", None, None)


@given(st.binary(max_size=200) | st.builds(lambda at, by: mutated(at, by), st.integers(0, 60), st.binary()))
def test_any_header_is_read_or_refused(blob: bytes) -> None:
    try:
        assert package_of(blob).nevra
    except ValueError as error:
        assert str(error)


def mutated(at: int, by: bytes) -> bytes:
    whole = header(name="x", epoch=1, version="1", release="1", arch="noarch")
    return whole[:at] + by + whole[at + len(by) :]


STATUS = """\
Package: bash
Status: install ok installed
Maintainer: Matthias Klose <doko@debian.org>
Architecture: amd64
Source: bash (5.2)
Version: 5.2.37-2+b8
Description: GNU shell
 Version: none
 .
 more

Package: gone
Status: deinstall ok config-files
Architecture: all
Version: 1-1

Package: tzdata
Status: hold ok installed
Architecture: all
Version: 1:2026a

Package: half
Status: install reinstreq half-installed
Architecture: amd64
Version: 2-1
"""


def status(tmp_path: Path, place: str, text: str) -> list[Package] | None:
    return read_packages(tree_of(tmp_path, oci.file(f"{place}/status", text.encode())), tmp_path)


@pytest.mark.parametrize("place", ["var/lib/dpkg", "usr/share/dpkg-db"])
def test_debian_s_packages(place: str, tmp_path: Path) -> None:
    maintainer = "Matthias Klose <doko@debian.org>"
    assert status(tmp_path, place, STATUS) == [
        Package("bash", None, "5.2.37", "2+b8", "amd64", maintainer, "bash", Kind.DEB),
        Package("tzdata", 1, "2026a", "", "all", None, "tzdata", Kind.DEB),
    ]


@pytest.mark.skipif(not shutil.which("dpkg-query"), reason="dpkg is not installed")
def test_dpkg_says_the_same(tmp_path: Path) -> None:
    (tmp_path / "status").write_text(STATUS)
    format = "${Package}\t${Version}\t${Architecture}\t${source:Package}\t${db:Status-Status}\n"
    argv = ["dpkg-query", f"--admindir={tmp_path}", "-W", "-f", format]
    said = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    rows = [line.split("\t") for line in said.splitlines()]
    found = status(tmp_path, "var/lib/dpkg", STATUS) or []
    assert [[each.name, each.evr, each.arch, each.source, "installed"] for each in found] == [
        row for row in rows if row[-1] == "installed"
    ]


def test_rpm_s_database_comes_before_dpkg_s(tmp_path: Path) -> None:
    members = [oci.file(PLACE, one(tmp_path, "rpm")), oci.file("var/lib/dpkg/status", STATUS.encode())]
    assert names(tree_of(tmp_path, *members), tmp_path) == ["rpm"]


@pytest.mark.parametrize("text", ["nonsense", "Package: x\nStatus: install ok installed\n",
                                  "Package: x\nStatus: install ok installed\nVersion: a:1\n"])  # fmt: skip
def test_an_invalid_status_file_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(BootimgError) as caught:
        status(tmp_path, "var/lib/dpkg", text)
    assert caught.value.id == "rpmdb-unreadable"


def test_a_directory_instead_of_the_status_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BootimgError) as caught:
        read_packages(tree_of(tmp_path, oci.folder("var/lib/dpkg/status")), tmp_path)
    assert caught.value.id == "rpmdb-unreadable"


FIELDS = st.sampled_from(["Package: x", "Version: 1:2-3", "Status: install ok installed", "", " more", ":"])


@given(st.text() | st.lists(FIELDS | st.text(max_size=9)).map("\n".join))
def test_any_status_file_is_read_or_refused(text: str) -> None:
    try:
        assert all(each.name and each.version for each in read_status(text))
    except ValueError as error:
        assert str(error)


@pytest.mark.parametrize(
    ("version", "parts"),
    [
        ("1", (None, "1", "")),
        ("2:1-2-3", (2, "1-2", "3")),
        ("0:1", (0, "1", "")),
        ("1.0~rc1-1", (None, "1.0~rc1", "1")),
    ],
)
def test_debian_s_versions(version: str, parts: tuple[int | None, str, str]) -> None:
    assert split_version(version) == parts
