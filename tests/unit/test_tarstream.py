"""The one writer of tar headers: GNU tar and tarfile read them, and their bytes stay what they were."""

import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from bootimg.layer.tar.entry import Entry, Kind
from bootimg.layer.tar.tarformat import read_entries
from bootimg.layer.tar.tarwriter import member
from bootimg.sizes import GIB
from bootimg.tarstream import (
    END,
    Dialect,
    directory,
    file_member,
    header,
    padding,
    pax_headers,
    sparse_headers,
)
from bootimg.untrusted.budget import Budget
from tests.support.disks import run

ENTRIES = [
    Entry("usr", Kind.DIRECTORY, 0o1777, 5, 6),
    Entry("usr/" + "n" * 150, Kind.FILE, 0o6755, 4_000_000, 7, 9 << 40, 8**11, (("user.a", bytes(3000)),)),
    Entry("ü" * 80, Kind.SYMLINK, 0o777, 0, 0, target="../" + "é" * 80),
    Entry("hard", Kind.HARDLINK, 0o644, 0, 3_000_000, target="usr/" + "n" * 150),
    Entry("x" * 100, Kind.FILE, 0o600, 2_097_151, 0, 8**11 - 1, 1_700_000_000),
]
SPARSE = [(number << 20, 1 << 16) for number in range(60)]

GOLDEN = {
    "layer": "d3a7bde6187cb761a4160dfa52abaa2a5570fd9ac55473a7c7d662e6a0c17e2f",
    "ustar": "f31d5f38bafefadac7ee02b778aa2317b8db7f4adf31df5ba9dcccce05517d33",
    "gnu": "ada354fe9ec44db0e89518a2c8db1f993025540cf06746de650307e37b3c5bff",
    "sparse": "1bc41c2d4d87880243eeadae536486e027316e251b9d3a7686cbef32b66f6b09",
}


@pytest.mark.parametrize(
    ("data", "digest"),
    [
        (b"".join(map(member, ENTRIES)), "layer"),
        (directory("disk/") + file_member("a", b"b") + header("x" * 100, 9 * GIB), "ustar"),
        (file_member("coreos.ovf", b"<xml>", Dialect.OLD_GNU), "gnu"),
        (b"".join(sparse_headers("disk.raw", 16 * GIB, [*SPARSE, (9 * GIB, 512), (16 * GIB, 0)])), "sparse"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_bytes_are_those_of_the_first_version(data: bytes, digest: str) -> None:
    """Digests of what bootimg's earlier writers made: published artifacts depend on them."""
    assert hashlib.sha256(data).hexdigest() == GOLDEN[digest]


def test_members_of_any_size_are_read_by_tarfile() -> None:
    for data in (header("disk", 9 * GIB), header("disk", 9 * GIB, dialect=Dialect.OLD_GNU)):
        info = tarfile.TarInfo.frombuf(data, "utf-8", "strict")
        assert (info.name, info.size, info.mode, info.uname) == ("disk", 9 * GIB, 0o644, "root")
    (found,) = _tarfile(pax_headers("disk", 0, owner=(9_000_000, 8_000_000), mtime=1 << 34) + END)
    assert (found.uid, found.gid, found.mtime) == (9_000_000, 8_000_000, 1 << 34)


def test_names_that_are_not_utf8_stay_as_they_are(tmp_path: Path) -> None:
    name = b"caf\xe9/" + b"\xff" * 120
    data = pax_headers(name.decode("utf-8", "surrogateescape")) + header("\udce9") + END
    (tmp_path / "a.tar").write_bytes(data)
    listed = run("tar", "--quoting-style=literal", "-tf", tmp_path / "a.tar")
    assert listed == name + b"\n\xe9\n"


@pytest.mark.parametrize("name", ["d" * 99, "d" * 100, "d" * 200, "ü" * 99, "a/" * 60 + "b"])
def test_directories_with_long_names_are_directories(name: str) -> None:
    data = member(Entry(name, Kind.DIRECTORY, 0o755, 0, 0)) + END
    (entry,) = read_entries(data, Budget())
    (found,) = _tarfile(data)
    assert (entry.path, entry.kind) == (name, Kind.DIRECTORY)
    assert (found.name, found.isdir()) == (name, True)


def test_long_links_and_attributes_reach_gnu_tar(tmp_path: Path) -> None:
    link = Entry("link", Kind.SYMLINK, 0o777, 0, 0, target="/" + "t" * 200)
    noted = Entry("noted", Kind.FILE, 0o644, 0, 0, 1, 0, (("user.note", b"a=b\nc"),))
    data = member(link) + member(noted) + b"x" + padding(1) + END
    (tmp_path / "a.tar").write_bytes(data)
    listed = run("tar", "--xattrs", "-tvvf", tmp_path / "a.tar").decode()
    assert f"link -> {link.target}\n" in listed
    assert "x: 5 user.note\n" in listed


def test_a_name_that_does_not_fit_is_refused() -> None:
    assert len(header("x" * 100)) == 512
    with pytest.raises(ValueError, match="too long"):
        header("x" * 101)


def _tarfile(data: bytes) -> list[tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return archive.getmembers()
