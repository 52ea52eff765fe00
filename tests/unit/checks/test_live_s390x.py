"""A live ISO of s390x as bootimg makes it breaks no rule; what would not start is found, and named."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from bootimg.checks.livemedia.live import iso_findings
from bootimg.disk.extents import FileSource
from bootimg.live.embed.edit import edit_in_place
from bootimg.live.embed.ignition import embed_ignition
from bootimg.live.iso.image import IsoImage
from bootimg.live.iso.layout import lay_out
from bootimg.live.iso.tree import IsoFile
from bootimg.live.reading.isoparts import kernel_of
from tests.support.live.liveiso import VOLUME, write
from tests.support.live.s390xiso import written_s390x

CDBOOT, INITRD = "images/cdboot.img", "images/pxeboot/initrd.img"
INS, ADDRESS = "generic.ins", "images/initrd.add"
Patch = Callable[[bytearray, dict[str, int]], None]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written_s390x(tmp_path_factory.mktemp("s390x"))


def places(iso: Path) -> dict[str, int]:
    """The offsets of the files, by their 8.3 names in lower case."""
    with FileSource(iso) as source:
        return {each.path.lower(): each.offset for each in IsoImage(source).walk()}


def found(iso: Path) -> list[tuple[str, str, str]]:
    """What is wrong with how the ISO is started, and the ids of other broken rules."""
    return [
        (each.rule.value, each.where, each.message)
        for each in iso_findings(iso)
        if each.rule.value != "iso-minimal"
    ]


def test_a_good_iso_also_with_a_config_in_it(good: Path, tmp_path: Path) -> None:
    assert iso_findings(good) == []
    (tmp_path / "live.iso").write_bytes(good.read_bytes())
    edit_in_place(tmp_path / "live.iso", lambda iso: embed_ignition(iso, b"{}", force=False))
    assert iso_findings(tmp_path / "live.iso") == []


def at(path: str, inside: int, new: bytes) -> Patch:
    """New bytes inside a file."""

    def patch(data: bytearray, offsets: dict[str, int]) -> None:
        start = offsets[path] + inside
        data[start : start + len(new)] = new

    return patch


def text(path: str, old: bytes, new: bytes) -> Patch:
    """Another text of the same length in a file."""
    assert len(old) == len(new)

    def patch(data: bytearray, offsets: dict[str, int]) -> None:
        start = data.index(old, offsets[path])
        data[start : start + len(old)] = new

    return patch


def word(at: int, change: int) -> Patch:
    """Another number of 64 bits in the boot image."""

    def patch(data: bytearray, offsets: dict[str, int]) -> None:
        place = offsets[CDBOOT] + at
        (value,) = struct.unpack_from(">Q", data, place)
        struct.pack_into(">Q", data, place, value + change)

    return patch


@pytest.mark.parametrize(
    ("patch", "where", "said"),
    [
        (at(CDBOOT, 0x10008, b"X"), f"/{CDBOOT}", "no firmware starts it"),
        (at(CDBOOT, 8, b"X"), f"/{CDBOOT}", "no firmware starts it"),
        (word(0x10408, 1 << 40), f"/{CDBOOT}", "no firmware starts it"),
        (word(0x10410, 1), f"/{CDBOOT}", "no firmware starts it"),
        (word(0x10410, -1), f"/{CDBOOT}", "the initramfs is at "),
        (word(0x10410, -262144), f"/{CDBOOT}", "the initramfs is at "),
        (at(CDBOOT, 0x18000, b"X"), f"/{CDBOOT}", "its kernel is not the one of the ISO's file for PXE"),
        (at(CDBOOT, 0x10400, b"X"), f"/{CDBOOT}", "its kernel is not the one of the ISO's file for PXE"),
        (word(0x10408, -4096), f"/{CDBOOT}", f"its initramfs does not begin with /{INITRD}"),
        (text("coreos/igninfo.jso", b'"length": 262144', b'"length": 262104'), None, ""),
        (text("coreos/kargs.jso", b'"offset": 66688', b'"offset": 66689'), f"/{CDBOOT}", "takes its"),
        (at(INS, 0, b"images/\n"), f"/{INS}", "no logical partition is started by it"),
        (text(INS, b"vmlinuz", b"vmlinux"), f"/{INS}", "the file is not on the ISO"),
        (text(INS, b"0x02000000", b"0x00000100"), f"/{INS}", "it is loaded over the end of "),
        (at(ADDRESS, 15, b"\1"), "/images/initrd.addrsize", "is loaded to another address"),
        (at(ADDRESS, 4, b"\3"), "/images/initrd.addrsize", "is loaded to another address"),
    ],
)  # fmt: skip
def test_what_would_not_start_is_found(
    good: Path, tmp_path: Path, patch: Patch, where: str | None, said: str
) -> None:
    data = bytearray(good.read_bytes())
    patch(data, places(good))
    (tmp_path / "live.iso").write_bytes(data)
    broken = [each for each in found(tmp_path / "live.iso") if each[0] == "iso-boot"]
    if where is None:
        assert broken == []
        return
    assert any(each[1] == where and said in each[2] for each in broken), broken


def test_missing_files_are_found(good: Path, tmp_path: Path) -> None:
    data = good.read_bytes().replace(b"GENERIC.INS", b"XENERIC.INS")
    (tmp_path / "live.iso").write_bytes(data)
    assert ("iso-boot", "/generic.ins", "a logical partition is started by it") in found(
        tmp_path / "live.iso"
    )


def test_an_older_iso_has_another_name_of_the_kernel(tmp_path: Path) -> None:
    """As those of coreos-assembler had until 2025."""
    for name in ("kernel.img", "vmlinuz"):
        iso = write(
            lay_out([IsoFile.of(f"images/pxeboot/{name}", b"the kernel")], VOLUME), tmp_path / name
        ).path
        with FileSource(iso) as source:
            kernel = kernel_of(IsoImage(source))
            assert kernel is not None
            assert b"".join(kernel.chunks(100)) == b"the kernel"
