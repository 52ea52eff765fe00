"""The content of the ignition area: cpio archives, compressed or not, one after another."""

from __future__ import annotations

import gzip
import lzma
from collections.abc import Callable
from io import BytesIO

import pytest
import zstandard

from bootimg.errors import BootimgError
from bootimg.live.cpioread import read_archive, read_member
from bootimg.live.embed.archive import write_archive
from bootimg.live.embed.initrd import IGNITION, decode, encode
from bootimg.untrusted.budget import Budget

FILES = {"config.ign": b"{}", "etc/coreos-firstboot-network/a.nmconnection": b"[connection]\n", "empty": b""}


def error_of(data: bytes) -> str:
    with pytest.raises(BootimgError) as caught:
        decode(data, Budget())
    return caught.value.id


def test_no_files_are_no_bytes() -> None:
    assert encode({}) == b""
    assert decode(bytes(1000), Budget()) == {}


def test_what_is_encoded_is_decoded() -> None:
    data = encode(FILES)
    # The kernel reads no other checksum than CRC32.
    assert data[:8] == b"\xfd7zXZ\0\0\x01"
    assert decode(data + bytes(5000), Budget()) == FILES


def test_an_archive_has_each_folder_once_before_its_files() -> None:
    data = write_archive({"c/g": b"", "c/a/f": b"1", "a/b/f": b"22", "d": b"333"})
    file = BytesIO(data)
    members = read_archive(file, 0, len(data), Budget())
    assert [(each.name, each.is_file, read_member(file, each, Budget())) for each in members] == [
        ("a", False, b""), ("a/b", False, b""), ("a/b/f", True, b"22"),
        ("c", False, b""), ("c/a", False, b""), ("c/a/f", True, b"1"), ("c/g", True, b""),
        ("d", True, b"333"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "pack",
    [bytes, gzip.compress, lzma.compress, zstandard.ZstdCompressor().compress],
    ids=lambda each: each.__name__,
)
def test_archives_follow_each_other_and_the_last_file_of_a_path_counts(
    pack: Callable[[bytes], bytes],
) -> None:
    first, second = write_archive({"a": b"1", "b": b"1"}), write_archive({"b": b"2"})
    assert decode(pack(first) + bytes(7) + second, Budget()) == {"a": b"1", "b": b"2"}
    assert decode(bytes(512) + second + bytes(12) + pack(first) + bytes(4), Budget()) == {
        "a": b"1",
        "b": b"1",
    }


def test_names_padded_with_zeros_are_names() -> None:
    plain = write_archive({"a": b"x"})
    padded = plain[:94] + b"%08x" % 18 + plain[102:110] + b"a".ljust(18, b"\0") + plain[112:]
    assert decode(padded, Budget()) == {"a": b"x"}


def test_a_directory_and_a_link_are_no_files() -> None:
    archive = write_archive({"a": b"target"})
    assert decode(archive[:14] + b"%08x" % 0o120777 + archive[22:], Budget()) == {}


@pytest.mark.parametrize(
    "data",
    [
        b"text",
        write_archive({"a": b"1"})[:-130],
        write_archive({"a": b"1"}).replace(b"070701", b"070707"),
        write_archive({"a": b"1"}).replace(b"00000001", b"ffffffff"),
        write_archive({"a": b"1"}).replace(b"00000001", b"     +1 "),
        write_archive({"a": b"1"}) + b"rest",
        encode({"a": b"1"})[:-20],
        encode({"a": b"1"}).replace(b"YZ", b"ZY"),
        lzma.compress(write_archive({"a": b"1"}) + b"rest"),
        lzma.compress(b"no archive"),
        write_archive({"x": b""}).replace(b"x\0", b"\xff\0"),
    ],
)
def test_damage_is_refused(data: bytes) -> None:
    assert error_of(data) == "iso-area-invalid"


def test_an_archive_has_the_bytes_of_coreos_installer() -> None:
    """Inodes from 0, files of mode 0600, one link for each, also for folders."""
    numbers = {"a": (0, 0o040755, 1, 0), "a/f": (1, 0o100600, 1, 3), "TRAILER!!!": (0, 0, 1, 0)}
    expected = b""
    for name, (inode, mode, links, size) in numbers.items():
        fields = (inode, mode, 0, 0, links, 0, size, 0, 0, 0, 0, len(name) + 1, 0)
        header = b"070701" + b"".join(b"%08x" % each for each in fields) + name.encode() + b"\0"
        expected += header + bytes(-len(header) % 4) + (b"abc\0" if size else b"")
    assert write_archive({"a/f": b"abc"}) == expected


@pytest.mark.parametrize("count", [1, 3])
def test_a_bomb_is_refused(count: int) -> None:
    """The limit is for all archives together."""
    bombs = [
        gzip.compress(write_archive({f"{each}": bytes((66 << 20) // count)}), 1) for each in range(count)
    ]
    assert error_of(b"".join(bombs)) == "iso-area-invalid"


def test_more_archives_than_anybody_writes_are_refused() -> None:
    """Each costs a copy of what follows it."""
    archive = write_archive({IGNITION: b"{}"})
    assert decode(archive * 64, Budget()) == {IGNITION: b"{}"}
    assert error_of(archive * 65) == "iso-area-invalid"
