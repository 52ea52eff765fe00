"""The EFI boot image: which of the layer's files are in it, and that it is the same each time."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from bootimg.errors import BootimgError
from bootimg.live.iso.efiboot import efi_tree, efi_vendor, make_efi_image
from bootimg.sysroot.entries import Entry, Kind, directory, text
from tests.support.live.liveiso import EPOCH, VOLUME

FILES = {
    "BOOT/BOOTX64.EFI": b"shim" * 9999,
    "BOOT/fbx64.efi": b"fallback",
    "redhat/BOOTX64.CSV": b"csv",
    "redhat/shim.efi": b"shim",
    "redhat/shimx64.efi": b"shim",
    "redhat/mmx64.efi": b"mok manager",
    "redhat/grubx64.efi": b"grub" * 9999,
    "redhat/fw/fwupx64.efi": b"fwup",
}


def programs(files: dict[str, bytes] | None = None) -> list[Entry]:
    paths = files or FILES
    folders = {str(parent) for path in paths for parent in Path("EFI", path).parents} - {"."}
    entries = [directory(path, 0o755, 0) for path in sorted(folders)]
    return entries + [text(f"EFI/{path}", data, 0) for path, data in paths.items()]


def test_all_that_is_wanted_is_in_efi_boot() -> None:
    tree = efi_tree(programs(), VOLUME.id, EPOCH)
    assert [entry.path.decode() for entry in tree] == [
        "EFI", "EFI/BOOT", "EFI/BOOT/fw",
        "EFI/BOOT/BOOTX64.EFI", "EFI/BOOT/fw/fwupx64.efi", "EFI/BOOT/grub.cfg",
        "EFI/BOOT/grubx64.efi", "EFI/BOOT/mmx64.efi",
    ]  # fmt: skip
    assert {entry.mtime for entry in tree} == {EPOCH * 10**9}


def test_the_stub_finds_the_iso_and_its_vendors_folder() -> None:
    [stub] = [each for each in efi_tree(programs(), VOLUME.id, EPOCH) if each.path == b"EFI/BOOT/grub.cfg"]
    assert isinstance(stub.content, bytes)
    assert f'search --label "{VOLUME.id}" --set root'.encode() in stub.content
    assert b"set prefix=($root)/EFI/redhat\nconfigfile $prefix/grub.cfg\n" in stub.content


def test_the_vendors_file_wins_over_one_in_boot_whatever_its_case() -> None:
    tree = efi_tree(programs(FILES | {"BOOT/GRUBX64.EFI": b"another"}), VOLUME.id, EPOCH)
    found = [entry for entry in tree if entry.path.upper() == b"EFI/BOOT/GRUBX64.EFI"]
    assert [entry.content for entry in found] == [FILES["redhat/grubx64.efi"]]


@pytest.mark.parametrize(
    "files",
    [
        {"BOOT/BOOTX64.EFI": b""},
        {"redhat/grubx64.efi": b""},
        {"BOOT/BOOTX64.EFI": b"", "redhat/grubx64.efi": b"", "fedora/grubx64.efi": b""},
    ],
)
def test_files_that_make_no_image_are_refused(files: dict[str, bytes]) -> None:
    with pytest.raises(BootimgError) as caught:
        efi_tree(programs(files), VOLUME.id, EPOCH)
    assert caught.value.id == "efi-files-missing"


def test_the_vendor_is_the_other_folder() -> None:
    assert efi_vendor(programs()) == "redhat"
    assert Kind.DIRECTORY in {entry.kind for entry in programs()}


@pytest.mark.skipif(
    not (shutil.which("mcopy") and shutil.which("mkfs.fat")), reason="mtools or dosfstools is not installed"
)
def test_the_image_is_a_fat_with_these_files_and_the_same_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = make_efi_image(programs(), VOLUME.id, VOLUME.set_id, EPOCH, tmp_path)
    assert len(image) % 512 == 0
    path = tmp_path / "image"
    path.write_bytes(image)
    listed = subprocess.run(
        ["mdir", "-/", "-b", "-i", path], capture_output=True, check=True, text=True
    ).stdout
    assert {line.removeprefix("::/") for line in listed.split()} == {
        "EFI/", "EFI/BOOT/", "EFI/BOOT/fw/", "EFI/BOOT/BOOTX64.EFI", "EFI/BOOT/fw/fwupx64.efi",
        "EFI/BOOT/grub.cfg", "EFI/BOOT/grubx64.efi", "EFI/BOOT/mmx64.efi",
    }  # fmt: skip
    assert b"EFI-SYSTEM " in image[:512]
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    assert make_efi_image(programs(), VOLUME.id, VOLUME.set_id, EPOCH, tmp_path) == image
