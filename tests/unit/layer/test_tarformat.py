"""A layer's tar is read by ourselves: what tarfile writes is understood, what attacks is refused."""

import io
import mmap
import tarfile
from pathlib import Path

import pytest

from bootimg.errors import BootimgError
from bootimg.layer.tar.entry import Entry, Kind
from bootimg.layer.tar.pax import MAX_RECORDS
from bootimg.layer.tar.tarformat import read_entries
from bootimg.layer.tar.tarwriter import member
from bootimg.tarstream import END, padding
from bootimg.untrusted.budget import Budget
from tests.support.layers import oci

CAPABILITY = bytes([1, 0, 0, 2, 0, 0x20, 0, 0, 0xFF, 0xFE] + [0] * 10)


def listed(*members: oci.Member, format: int = tarfile.PAX_FORMAT) -> list[Entry]:
    return list(read_entries(oci.tar(*members, format=format), Budget()))


def refused(data: bytes) -> str:
    with pytest.raises(BootimgError) as error:
        list(read_entries(data, Budget()))
    return error.value.id


@pytest.mark.parametrize("format", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_long_names_owners_and_modes(format: int) -> None:
    name, target = "d/" + "n" * 200, "t" * 180
    (found, link) = listed(
        oci.file(name, b"data", mode=0o4755, uid=3_000_000, gid=7, mtime=1_700_000_001),
        oci.symlink("l", target),
        format=format,
    )
    assert (found.path, found.kind, found.mode) == (name, Kind.FILE, 0o4755)
    assert (found.uid, found.gid, found.size, found.mtime) == (3_000_000, 7, 4, 1_700_000_001)
    assert (link.path, link.kind, link.target) == ("l", Kind.SYMLINK, target)


def test_ustar_prefix() -> None:
    name = "/".join(["p" * 60, "q" * 60, "r" * 60])
    assert listed(oci.file(name), format=tarfile.USTAR_FORMAT)[0].path == name


def test_binary_xattrs_survive() -> None:
    xattrs = {"security.capability": CAPABILITY, "user.note": b"a=b\nc"}
    (found,) = listed(oci.file("f", xattrs=xattrs))
    assert dict(found.xattrs) == xattrs


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE])
@pytest.mark.parametrize("same", [True, False])
def test_more_records_than_any_file_has_are_refused(kind: bytes, same: bool) -> None:
    """Each costs a copy of those after it, and each file a look at all of them."""
    records = [f"12 a{0 if same else number:05}=b\n" for number in range(MAX_RECORDS + 1)]
    body = "".join(records).encode()
    assert refused(oci.tar(oci.member("h", kind, body), oci.file("f"))) == "layer-tar-malformed"
    fewer = body[: 12 * MAX_RECORDS] + bytes(100)
    assert len(list(read_entries(oci.tar(oci.member("h", kind, fewer), oci.file("f")), Budget()))) == 1


def test_records_for_all_files_do_not_add_up_without_end() -> None:
    headers = [
        oci.member("h", tarfile.XGLTYPE, f"12 a{number:05}=b\n".encode()) for number in range(MAX_RECORDS + 1)
    ]
    assert refused(oci.tar(*headers)) == "layer-tar-malformed"


def test_content_is_at_the_offset() -> None:
    data = oci.tar(oci.file("a", b"x" * 700), oci.file("b", b"hello"))
    b = list(read_entries(data, Budget()))[1]
    assert data[b.offset : b.offset + b.size] == b"hello"


def test_paths_are_cleaned() -> None:
    assert [entry.path for entry in listed(oci.folder("./"), oci.file("./a//b"))] == ["", "a/b"]


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x", "a/..", "x" * 300, "a/" * 300 + "b"])
def test_unsafe_paths_are_refused(path: str) -> None:
    assert refused(oci.tar(oci.file(path))) == "layer-path-unsafe"


def test_names_that_are_not_utf8_are_refused() -> None:
    info, data = oci.file("caf\udce9")
    assert refused(oci.tar((info, data), format=tarfile.GNU_FORMAT)) == "layer-path-unsafe"


@pytest.mark.parametrize("target", ["../../etc/shadow", "/../x"])
def test_hardlinks_out_of_the_tree_are_refused(target: str) -> None:
    assert refused(oci.tar(oci.hardlink("l", target))) == "layer-link-unsafe"


def test_symlinks_may_point_anywhere() -> None:
    assert listed(oci.symlink("l", "/../../etc"))[0].target == "/../../etc"


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_devices_and_fifos_have_no_content(kind: bytes) -> None:
    info, _ = oci.member("dev/x", kind)
    info.size = 5000
    found, after = read_entries(info.tobuf(tarfile.USTAR_FORMAT) + oci.tar(oci.file("y")), Budget())
    assert (found.path, found.kind, found.size) == ("dev/x", Kind.SPECIAL, 0)
    assert found.target in ("character device", "block device", "fifo")
    assert after.path == "y"


def test_a_sparse_bomb_is_refused(tmp_path: Path) -> None:
    # 10 GiB, made by GNU tar's own pax sparse format: a few KiB of tar.
    info, data = oci.file("huge", b"1\n0\n0\n")
    info.pax_headers = {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.realsize": str(10 << 30),
    }
    assert refused(oci.tar((info, data))) == "layer-sparse"
    old = oci.member("huge", tarfile.GNUTYPE_SPARSE)
    assert refused(oci.tar(old)) == "layer-sparse"


def test_unknown_types_are_refused() -> None:
    assert refused(oci.tar(oci.member("x", b"Z"))) == "layer-tar-malformed"


def test_a_cut_tar_is_refused() -> None:
    data = oci.tar(oci.file("a", b"x" * 5000))
    assert refused(data[:3000]) == "layer-truncated"
    assert refused(data[:300]) == "layer-truncated"


def test_a_damaged_header_is_refused() -> None:
    data = bytearray(oci.tar(oci.file("a", b"x")))
    data[3] ^= 1
    assert refused(bytes(data)) == "layer-tar-malformed"


def test_a_mapped_file_reads_the_same(tmp_path: Path) -> None:
    data = oci.tar(oci.file("a", b"x"), oci.folder("b"))
    (tmp_path / "t").write_bytes(data)
    with (
        (tmp_path / "t").open("rb") as handle,
        mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as view,
    ):
        assert list(read_entries(view, Budget())) == list(read_entries(data, Budget()))


def test_the_writer_is_read_by_tarfile_and_by_us() -> None:
    entries = [
        Entry("d", Kind.DIRECTORY, 0o1777, 5, 6),
        Entry(
            "d/" + "n" * 150, Kind.FILE, 0o6755, 4_000_000, 7, 3, 9, (("security.capability", CAPABILITY),)
        ),
        Entry("s", Kind.SYMLINK, 0o777, 0, 0, target="ü" * 80),
        Entry("h", Kind.HARDLINK, 0o644, 0, 0, target="d/" + "n" * 150),
    ]
    data = b"".join(member(e) + (b"abc" + padding(3) if e.size else b"") for e in entries) + END
    found = list(read_entries(data, Budget()))
    for entry, again in zip(entries, found, strict=True):
        assert (again.path, again.kind, again.mode) == (entry.path, entry.kind, entry.mode)
        assert (again.uid, again.gid, again.size, again.mtime) == (
            entry.uid,
            entry.gid,
            entry.size,
            entry.mtime,
        )
        assert (again.xattrs, again.target) == (entry.xattrs, entry.target)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        assert [info.name for info in archive] == [entry.path for entry in entries]
        content = archive.extractfile("d/" + "n" * 150)
        assert content is not None
        assert content.read() == b"abc"
