"""Live media are read as they are made, by bootimg or others, and what is damaged is refused."""

from __future__ import annotations

import gzip
import io
import lzma
import zlib
from collections.abc import Callable

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from bootimg.disk.extents import Extent
from bootimg.errors import BootimgError
from bootimg.live.cpio import padding
from bootimg.live.initramfs import FEATURES, VERSION, WANT_ROOTFS
from bootimg.live.reading.initramfs import LiveInitramfs, read_initramfs
from bootimg.live.reading.region import Region
from bootimg.live.reading.rootfs import read_rootfs
from bootimg.live.reading.streamfile import StreamFile
from bootimg.untrusted.budget import Budget
from bootimg.untrusted.limits import Limits
from tests.support.live.livefiles import BUILD, METAL, archive, rootfs_image

PACKERS: list[Callable[[bytes], bytes]] = [gzip.compress, lzma.compress, zstandard.compress]
LIVE = {VERSION: b"1\n", WANT_ROOTFS: b"sums\n", FEATURES: b"{}"}
OWN = archive({"init": b"a program" * 5000, VERSION: b"0\n"})


class Memory:
    """Bytes as a source."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    @property
    def size(self) -> int:
        return len(self.data)

    def extents(self) -> list[Extent]:
        return [Extent(0, self.size, data=True)]

    def read(self, offset: int, length: int) -> bytes:
        assert offset + length <= self.size
        return self.data[offset : offset + length]


def region(data: bytes) -> Region:
    """The data between other bytes."""
    return Region(Memory(b"before" + data + b"after"), 6, len(data))  # type: ignore[arg-type]


def aligned(data: bytes) -> bytes:
    return data + padding(len(data))


@pytest.mark.parametrize("own", [bytes, *PACKERS])
@pytest.mark.parametrize("added", [bytes, *PACKERS])
def test_the_last_files_count(own: Callable[[bytes], bytes], added: Callable[[bytes], bytes]) -> None:
    early = archive({"kernel/x86/microcode/GenuineIntel.bin": bytes(1000)}) + bytes(512)
    whole = early + aligned(own(OWN + bytes(512))) + aligned(added(archive(LIVE))) + bytes(64)
    assert read_initramfs(region(whole), Budget()) == LiveInitramfs(
        version="1", want_rootfs=b"sums\n", features=b"{}"
    )


def test_an_initramfs_that_is_no_live_one() -> None:
    assert read_initramfs(region(archive({"init": b"x"})), Budget()) == LiveInitramfs(
        version=None, want_rootfs=None, features=None
    )
    assert read_initramfs(region(b""), Budget()).version is None


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"text", "neither an archive nor a stream"),
        (b"070701", "no header"),
        (OWN[:2000], "ends within a member"),
        (zstandard.compress(OWN)[:-5], "ends too early"),
        (gzip.compress(OWN, mtime=0)[:-3], "ends too early"),
        (gzip.compress(OWN[:-200], mtime=0), "no header"),
        (gzip.compress(OWN + b"more", mtime=0), "data follows an archive"),
        (gzip.compress(b"text", mtime=0), "no header"),
        (gzip.compress(OWN, mtime=0)[:50] + b"\xff" * 50, "is damaged"),
        (OWN + bytes(1) + OWN, "no multiple of 4"),
    ],
)
def test_a_damaged_initramfs(data: bytes, said: str) -> None:
    with pytest.raises(BootimgError, match="live-archive-malformed") as caught:
        read_initramfs(region(data), Budget())
    assert said in "".join(caught.value.context)


def over_budget(work: Callable[[], object], limit: str) -> None:
    with pytest.raises(BootimgError, match="image-over-budget") as caught:
        work()
    assert f"the limit `{limit}`" in caught.value.message


def test_a_stream_is_charged_to_the_budget() -> None:
    packed = io.BytesIO(zstandard.compress(bytes(1 << 24)))
    over_budget(lambda: StreamFile(packed, 0, Budget(Limits(unpacked=1 << 20))).seek(1 << 25), "unpacked")
    assert StreamFile(packed, 0, Budget()).seek(1 << 25) == 1 << 24


def test_what_an_initramfs_has_is_charged_to_the_budget() -> None:
    """Zeros, members, their names and contents, and streams that are empty."""
    zeros = zstandard.compress(bytes(64 << 20))
    over_budget(lambda: read_initramfs(region(zeros), Budget(Limits(unpacked=1 << 20))), "unpacked")
    members = archive({f"{each}": b"" for each in range(20)})
    over_budget(lambda: read_initramfs(region(members), Budget(Limits(names=10))), "names")
    over_budget(lambda: read_initramfs(region(archive(LIVE)), Budget(Limits(metadata=30))), "metadata")
    empty = zlib_gzip(archive({})) * 20
    over_budget(lambda: read_initramfs(region(empty), Budget(Limits(link_steps=1000))), "link-steps")
    assert read_initramfs(region(empty), Budget()).version is None


@given(data=st.binary(max_size=3000), steps=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 400))))
def test_a_stream_is_a_file_that_is_read_forwards(data: bytes, steps: list[tuple[int, int]]) -> None:
    stream, at = StreamFile(io.BytesIO(b"xy" + zlib_gzip(data) + b"rest"), 2, Budget()), 0
    for skipped, length in steps:
        at = min(at + skipped, len(data))
        assert stream.seek(at) == at
        assert stream.read(length) == data[at : at + length]
        at = min(at + length, len(data))
        assert stream.tell() == at
    stream.seek(1 << 20)
    assert stream.end == 2 + len(zlib_gzip(data))


def zlib_gzip(data: bytes) -> bytes:
    packer = zlib.compressobj(1, wbits=31)
    return packer.compress(data) + packer.flush()


@given(data=st.binary(max_size=300), place=st.integers(-10, 310), length=st.integers(0, 400))
def test_a_region_is_a_file(data: bytes, place: int, length: int) -> None:
    with region(data).open() as file, io.BytesIO(data) as wanted:
        start = max(place, 0)
        assert file.seek(start) == wanted.seek(start)
        assert file.read(length) == wanted.read(length)
        assert file.seek(0, io.SEEK_END) == len(data)
        assert file.read() == b""


def test_a_part_is_inside_its_region() -> None:
    assert b"".join(region(b"abcdef").part(1, 3).chunks(2)) == b"bcd"
    for offset, length in ((-1, 2), (0, 7), (6, 1)):
        with pytest.raises(ValueError, match="not inside"):
            region(b"abcdef").part(offset, length)


def test_a_rootfs_image() -> None:
    found = read_rootfs(region(rootfs_image()), Budget())
    assert (found.version, str(found.filesystem.fstype)) == (BUILD, "squashfs")
    assert {each.facts.sector_size: each.facts.sha256 for each in found.osmets if each.facts} == METAL


@pytest.mark.parametrize(("name", "count"), [("{}.osmet", 9), ("file{}", 70)])
def test_a_rootfs_image_has_few_files(name: str, count: int) -> None:
    image = rootfs_image(files={name.format(number): b"" for number in range(count)})
    with pytest.raises(BootimgError, match="live-archive-malformed"):
        read_rootfs(region(image), Budget())
