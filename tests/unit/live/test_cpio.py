"""Archives of an initramfs: what GNU cpio reads of ours, and what our reader refuses."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path

import pytest

from bootimg.errors import BootimgError
from bootimg.live import cpio
from bootimg.live.cpio import Member
from bootimg.live.cpioread import CONTENT_LIMIT, Found, read_archive, read_member
from bootimg.live.rootfsimage import DATA_OFFSET
from bootimg.untrusted.budget import Budget

FILES = {
    "root.squashfs": b"hsqs-",
    "etc/coreos/features.json": b"{}\n",
    "etc/version": b"",
    "metal.osmet": b"1234",
}


def archive() -> bytes:
    return b"".join(cpio.members(Member(name, content) for name, content in FILES.items()))


def read(data: bytes) -> list[Found]:
    return list(read_archive(io.BytesIO(data), 0, len(data), Budget()))


def test_gnu_cpio_unpacks_an_archive(tmp_path: Path) -> None:
    """Every file has its content and mode; the folders are made."""
    done = subprocess.run(["cpio", "-idm"], input=archive(), cwd=tmp_path, capture_output=True)
    assert not done.returncode, done.stderr
    assert {name: (tmp_path / name).read_bytes() for name in FILES} == FILES
    assert (tmp_path / "etc/version").stat().st_mode == 0o100644
    assert (tmp_path / "etc/coreos").stat().st_mode == 0o40755


def test_a_file_of_this_machine_is_a_member(tmp_path: Path) -> None:
    """Its bytes stand there as those of a member in memory do."""
    (tmp_path / "big").write_bytes(bytes(range(256)) * 9000)
    content = (tmp_path / "big").read_bytes()
    of_file = b"".join(cpio.members([Member("a/b", tmp_path / "big")]))
    assert of_file == b"".join(cpio.members([Member("a/b", content)]))


@pytest.mark.parametrize("name", ["root.squashfs", "root.erofs"])
def test_the_first_members_data_is_where_initramfses_look(name: str) -> None:
    """Both names of the root file system lead to one offset."""
    assert len(cpio.header(name, 5, 1)) == DATA_OFFSET


def test_our_reader_finds_what_was_written() -> None:
    """Folders are found once, each file where its content is."""
    data = archive()
    found = read(data)
    assert [each.name for each in found] == [
        "root.squashfs", "etc", "etc/coreos", "etc/coreos/features.json", "etc/version", "metal.osmet",
    ]  # fmt: skip
    contents = {each.name: read_member(io.BytesIO(data), each, Budget()) for each in found if each.is_file}
    assert contents == FILES


def test_our_reader_reads_gnu_cpio(tmp_path: Path) -> None:
    """Its archives are padded to blocks of 512 bytes."""
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    done = subprocess.run(
        ["cpio", "-o", "-H", "newc", "--quiet"],
        input="\n".join(FILES).encode(),
        cwd=tmp_path,
        capture_output=True,
    )
    assert [(each.name, each.size) for each in read(done.stdout)] == [
        (name, len(data)) for name, data in FILES.items()
    ]


def test_a_file_that_no_initramfs_holds_is_refused() -> None:
    """Sizes have 32 bits."""
    assert cpio.header("root.erofs", cpio.LARGEST, 1)
    with pytest.raises(BootimgError, match="live-file-too-large"):
        cpio.header("root.erofs", cpio.LARGEST + 1, 1)


@pytest.mark.parametrize(("at", "data"), [(0, b"070702"), (110, b"root.squashf\0\0")])
def test_what_the_kernel_reads_too_is_read(at: int, data: bytes) -> None:
    """The format with checksums, and names padded with zeros."""
    changed = bytearray(archive())
    changed[at : at + len(data)] = data
    assert [each.name for each in read(bytes(changed))][1:] == [each.name for each in read(archive())][1:]


@pytest.mark.parametrize(
    ("at", "data"),
    [
        (0, b"070707"),
        (6, b"zzzzzzzz"),
        (6, b" 0x1 +1_"),
        (54, b"ffffffff"),
        (94, b"00000000"),
        (94, b"0000ffff"),
        (110, b"root\0squash"),
        (110, bytes(14)),
        (123, b"x"),
    ],
)
def test_a_damaged_header_is_refused(at: int, data: bytes) -> None:
    """The magic, digits, sizes and names; nothing is read past the end."""
    damaged = bytearray(archive())
    damaged[at : at + len(data)] = data
    with pytest.raises(BootimgError, match="live-archive-malformed"):
        read(bytes(damaged))


def test_an_archive_without_an_end_is_refused() -> None:
    """It may lack its last member, or half of it."""
    whole = archive()
    for length in (0, 3, 130, len(whole) - 130, len(whole) - 5):
        with pytest.raises(BootimgError, match="live-archive-malformed"):
            read(whole[:length])


def test_a_large_member_is_not_read_into_memory() -> None:
    """Only small ones are."""
    with pytest.raises(BootimgError, match="live-archive-malformed"):
        read_member(io.BytesIO(), Found("a", 0o100644, 0, CONTENT_LIMIT + 1), Budget())
