"""The content of the ignition area: cpio archives, compressed or not, one after another."""

from __future__ import annotations

import gzip
import lzma
from collections.abc import Callable

import pytest
import zstandard

from bootimg.errors import BootimgError
from bootimg.live.embed.initrd import IGNITION, decode, encode
from bootimg.live.embed.newc import read_archive, write_archive

FILES = {"config.ign": b"{}", "etc/coreos-firstboot-network/a.nmconnection": b"[connection]\n", "empty": b""}


def error_of(data: bytes) -> str:
    with pytest.raises(BootimgError) as caught:
        decode(data)
    return caught.value.id


def test_no_files_are_no_bytes() -> None:
    assert encode({}) == b""
    assert decode(bytes(1000)) == {}


def test_what_is_encoded_is_decoded() -> None:
    data = encode(FILES)
    # The kernel reads no other checksum than CRC32.
    assert data[:8] == b"\xfd7zXZ\0\0\x01"
    assert decode(data + bytes(5000)) == FILES


def test_an_archive_has_each_folder_once_before_its_files() -> None:
    read = read_archive(write_archive({"c/g": b"", "c/a/f": b"1", "a/b/f": b"22", "d": b"333"}))
    assert read is not None
    members, rest = read
    assert rest == b""
    assert [(each.name.decode(), each.is_file, each.content) for each in members] == [
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
    assert decode(pack(first) + bytes(7) + second) == {"a": b"1", "b": b"2"}
    assert decode(bytes(512) + second + bytes(12) + pack(first) + bytes(4)) == {"a": b"1", "b": b"1"}


def test_names_padded_with_zeros_are_names() -> None:
    plain = write_archive({"a": b"x"})
    padded = plain[:94] + b"%08x" % 18 + plain[102:110] + b"a".ljust(18, b"\0") + plain[112:]
    assert decode(padded) == {"a": b"x"}


def test_a_directory_and_a_link_are_no_files() -> None:
    archive = write_archive({"a": b"target"})
    assert decode(archive[:14] + b"%08x" % 0o120777 + archive[22:]) == {}


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


def test_a_bomb_is_refused() -> None:
    assert error_of(gzip.compress(write_archive({IGNITION: bytes(70 << 20)}), 1)) == "iso-area-invalid"
