"""The tar stream of a tree, read by Python's tarfile."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from bootimg.live.treetar import tree_tar
from bootimg.sysroot.entries import Entry, HostFile, Kind, directory

LONG = "d/" + "n" * 180
NANO = 10**9


def read(entries: list[Entry]) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(b"".join(tree_tar(entries)))) as tar:
        return {info.name: info for info in tar}


def file(path: bytes, content: bytes, link: str | None = None) -> Entry:
    xattrs = ((b"security.capability", b"\0\1\n=\xff"),)
    return Entry(
        path=path,
        kind=Kind.FILE,
        mode=0o4755,
        uid=1 << 22,
        gid=7,
        mtime=5 * NANO + 1,
        size=len(content),
        content=content,
        xattrs=xattrs,
        link=link,
    )


def test_every_kind_has_its_attributes() -> None:
    """Names of any bytes, owners of any size, binary attributes, devices of whiteouts."""
    names = read([
        directory("", 0o711, 3 * NANO), directory("d", 0o700, 0), file(LONG.encode(), b"abc"),
        file(b"d/\xff", b""),
        Entry(path=b"link", kind=Kind.SYMLINK, mode=0o777, target=b"t" * 150),
        Entry(path=b"gone", kind=Kind.WHITEOUT, mode=0o644),
    ])  # fmt: skip
    assert (names["."].mode, names["."].mtime) == (0o711, 3)
    long = names[LONG]
    assert (long.mode, long.uid, long.gid, long.size, long.mtime) == (0o4755, 1 << 22, 7, 3, 5)
    key = "SCHILY.xattr.security.capability"
    assert long.pax_headers[key].encode("utf-8", "surrogateescape") == b"\0\1\n=\xff"
    assert "d/\udcff" in names
    assert names["link"].linkname == "t" * 150
    assert names["gone"].ischr()
    assert (names["gone"].devmajor, names["gone"].devminor) == (0, 0)


def test_names_of_one_file_are_hard_links_of_the_first() -> None:
    """Files and symlinks; files with the same content are not."""
    symlink = Entry(path=b"s1", kind=Kind.SYMLINK, mode=0o777, target=b"x", link="s")
    names = read([
        file(LONG.encode(), b"abc", "f"), file(b"b", b"abc", "f"), file(b"c", b"abc"), symlink,
        Entry(path=b"s2", kind=Kind.SYMLINK, mode=0o777, target=b"x", link="s"),
    ])  # fmt: skip
    assert (names["b"].islnk(), names["b"].linkname, names["b"].size) == (True, LONG, 0)
    assert names["c"].isreg()
    assert (names["s2"].islnk(), names["s2"].linkname) == (True, "s1")


def test_content_is_read_from_its_place(tmp_path: Path) -> None:
    """It may begin anywhere in a file of this machine."""
    (tmp_path / "host").write_bytes(b"0123456789" * 200_000)
    entry = Entry(
        path=b"f", kind=Kind.FILE, mode=0o644, size=1_500_003, content=HostFile(str(tmp_path / "host"), 5)
    )
    with tarfile.open(fileobj=io.BytesIO(b"".join(tree_tar([entry])))) as tar:
        content = tar.extractfile("f")
        assert content
        assert content.read() == (b"5678901234" * 200_000)[:1_500_003]
