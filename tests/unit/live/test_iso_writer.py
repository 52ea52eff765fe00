"""The ISO writer: what its structures say, read by programs of others and by our own reader."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bootimg.disk.extents import FileSource
from bootimg.errors import BootimgError
from bootimg.live.iso.descriptors import Volume
from bootimg.live.iso.image import IsoImage
from bootimg.live.iso.layout import lay_out
from bootimg.live.iso.liveiso import Part
from bootimg.live.iso.sectors import SECTOR
from bootimg.live.iso.tree import LARGEST, IsoFile
from bootimg.sysroot.entries import HostFile
from tests.support.live.liveiso import EPOCH, SMALL, VOLUME, live_iso, write

CONTENT = {
    "a": b"",
    "coreos/igninfo.json": b"{}",
    "coreos/kargs.json": b"x" * SECTOR,
    "deep/er/than/that.tar.gz": b"y",
}


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    files = [IsoFile.of(path, data) for path, data in CONTENT.items()]
    return write(lay_out(files, VOLUME), tmp_path / "plain.iso").path


@pytest.fixture
def timezone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def isoinfo(iso: Path, *arguments: str) -> bytes:
    if shutil.which("isoinfo") is None:
        pytest.skip("isoinfo (genisoimage) is not installed")
    return subprocess.run(["isoinfo", "-i", iso, *arguments], capture_output=True, check=True).stdout


@pytest.mark.parametrize("tree", ["-R", "-J"])
def test_long_names_are_in_rock_ridge_and_joliet(tree: str, plain: Path) -> None:
    listed = isoinfo(plain, tree, "-f").decode().split()
    assert sorted(listed) == sorted([
        "/a", "/coreos", "/coreos/igninfo.json", "/coreos/kargs.json",
        "/deep", "/deep/er", "/deep/er/than", "/deep/er/than/that.tar.gz",
    ])  # fmt: skip
    for path, data in CONTENT.items():
        assert isoinfo(plain, tree, "-x", f"/{path}") == data


def test_the_primary_tree_has_8_3_names(plain: Path) -> None:
    listed = isoinfo(plain, "-f").decode().split()
    assert "/COREOS/IGNINFO.JSO;1" in listed
    assert "/DEEP/ER/THAN/THAT_TAR.GZ;1" in listed


def test_names_that_are_cut_alike_get_numbers(tmp_path: Path) -> None:
    files = [IsoFile.of(f"a-long-name-{number}.conf", b"%d" % number) for number in range(3)]
    iso = write(lay_out(files, VOLUME), tmp_path / "x.iso").path
    with FileSource(iso) as source:
        image = IsoImage(source)
        found = {each.path: image.read(each.offset, each.length) for each in image.walk()}
    assert found == {"A_LONG_N.CON": b"0", "A_LON000.CON": b"1", "A_LON001.CON": b"2"}


def test_a_folder_of_many_files_takes_several_sectors(tmp_path: Path) -> None:
    files = [IsoFile.of(f"many/{number}.txt", b"%d" % number) for number in range(300)]
    iso = write(lay_out(files, VOLUME), tmp_path / "x.iso").path
    listed = isoinfo(iso, "-R", "-f").decode().split()
    assert len(listed) == 301
    assert isoinfo(iso, "-J", "-x", "/many/299.txt") == b"299"


def test_offsets_are_where_the_bytes_are(tmp_path: Path) -> None:
    layout = live_iso().layout()
    iso = write(layout, tmp_path / "x.iso")
    data = iso.path.read_bytes()
    assert len(data) == iso.size == layout.size
    for path, file in layout.files.items():
        assert isinstance(file.content, bytes)
        assert data[layout.offsets[path] :][: file.size] == file.content
        assert layout.offsets[path] % SECTOR == 0


def test_the_content_of_a_file_can_change_after_the_layout() -> None:
    layout = live_iso().layout()
    changed = layout.with_content("coreos/miniso.dat", b"m" * 16384)
    assert changed.offsets == layout.offsets
    assert changed.files["coreos/miniso.dat"].content == b"m" * 16384
    with pytest.raises(ValueError, match="16384"):
        layout.with_content("coreos/miniso.dat", b"short")


def test_the_minimal_iso_has_all_other_files_at_the_same_place() -> None:
    whole, minimal = live_iso().layout(), live_iso().minimal_layout()
    assert whole.offsets.keys() - minimal.offsets.keys() == {"images/pxeboot/rootfs.img", "coreos/miniso.dat"}
    assert all(whole.offsets[path] == offset for path, offset in minimal.offsets.items())


@pytest.mark.usefixtures("timezone")
def test_another_timezone_and_clock_give_the_same_bytes(tmp_path: Path) -> None:
    other = write(live_iso().layout(), tmp_path / "other.iso").sha256
    os.environ["TZ"] = "UTC"
    time.tzset()
    assert write(live_iso().layout(), tmp_path / "one.iso").sha256 == other


def test_a_file_of_the_host_is_copied(tmp_path: Path) -> None:
    data = os.urandom(3 << 20)
    source = tmp_path / "source"
    source.write_bytes(b"before" + data)
    file = IsoFile(path="big", size=len(data), content=HostFile(str(source), 6))
    iso = write(lay_out([file], VOLUME), tmp_path / "x.iso").path
    assert isoinfo(iso, "-R", "-x", "/big") == data


def test_the_volume_says_its_names_and_time(tmp_path: Path) -> None:
    volume = Volume(id="rhcos-9.6", set_id="rhcos-9.6.20261101-0-with-more-than-32", epoch=EPOCH)
    iso = write(lay_out([], volume), tmp_path / "x.iso").path
    shown = isoinfo(iso, "-d").decode()
    assert "Volume id: rhcos-9.6\n" in shown
    assert "Volume set id: rhcos-9.6.20261101-0-with-more-than-32\n" in shown
    assert iso.read_bytes()[16 * SECTOR + 813 :][:17] == b"2023111422132000\0"


@pytest.mark.parametrize(
    "path", ["", "a//b", "/a", "../a", "a b", "ü", "x" * 65, "1/2/3/4/5/6/7/8/9", "a\nb", ".hidden"]
)
def test_a_path_that_an_iso_cannot_have_is_refused(path: str) -> None:
    with pytest.raises(BootimgError) as caught:
        lay_out([IsoFile.of(path, b"")], VOLUME)
    assert caught.value.id == "iso-name-invalid"


@pytest.mark.parametrize("paths", [["a", "a"], ["a", "a/b"], ["a/b", "a"]])
def test_a_name_is_either_a_file_or_a_folder_and_only_once(paths: list[str]) -> None:
    with pytest.raises(BootimgError) as caught:
        lay_out([IsoFile.of(path, b"") for path in paths], VOLUME)
    assert caught.value.id == "iso-name-invalid"


def test_a_file_of_4_gib_is_refused() -> None:
    nowhere = HostFile("/nonexistent")
    lay_out([IsoFile(path="rootfs", size=LARGEST, content=nowhere)], VOLUME)
    with pytest.raises(BootimgError) as caught:
        lay_out([IsoFile(path="rootfs", size=LARGEST + 1, content=nowhere)], VOLUME)
    assert caught.value.id == "iso-file-too-large"
    with pytest.raises(BootimgError) as caught:
        live_iso(rootfs=Part(nowhere, LARGEST + 1)).layout()
    assert caught.value.id == "iso-file-too-large"


@pytest.mark.parametrize(
    "broken", [{"isohdpfx.bin": b"short"}, {"isolinux.bin": bytes(1000)}, {"isolinux.bin": SMALL[:32]}]
)
def test_files_of_syslinux_that_are_damaged_are_refused(broken: dict[str, bytes]) -> None:
    iso = live_iso()
    with pytest.raises(BootimgError) as caught:
        replace(iso, syslinux={**iso.syslinux, **broken}).layout()
    assert caught.value.id == "isolinux-invalid"
