"""The ESP written without a mount: mkfs.fat and mtools."""

from __future__ import annotations

import shutil
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest

from bootimg.disk.native import esp as module
from bootimg.disk.native.esp import make_esp
from bootimg.errors import BootimgError
from bootimg.manifest.recipe import Fat
from bootimg.sysroot.entries import Entry, directory, text

pytestmark = pytest.mark.skipif(
    not (shutil.which("mcopy") and shutil.which("mkfs.fat")), reason="mtools or dosfstools is not installed"
)

EPOCH = 1_700_000_000
NOW = EPOCH * 10**9
OPTIONS = Fat(2, "7B7795E7", "EFI-SYSTEM")


def entries() -> list[Entry]:
    return [
        directory("EFI", 0o755, NOW),
        directory("EFI/BOOT", 0o755, NOW),
        text("EFI/BOOT/BOOTX64.EFI", b"MZ" * 5000, NOW),
        directory("EFI/vendor", 0o755, NOW),
        text("EFI/vendor/grub.cfg", b"stub\n", NOW),
        text("EFI/vendor/a long Name.efi", b"", NOW),
    ]


def make(path: Path, sector_size: int = 512) -> Path:
    with path.open("wb") as file:
        file.truncate(127 << 20)
    make_esp(path, OPTIONS, entries(), start=4096, sector_size=sector_size, epoch=EPOCH)
    return path


@pytest.mark.parametrize("sector_size", [512, 4096])
def test_what_is_written_is_there(sector_size: int, tmp_path: Path) -> None:
    image = make(tmp_path / "image", sector_size)
    shown = subprocess.run(["mtype", "-i", image, "::/EFI/vendor/grub.cfg"], capture_output=True, check=True)
    assert shown.stdout == b"stub\n"
    listed = subprocess.run(["mdir", "-/", "-b", "-i", image], capture_output=True, check=True, text=True)
    assert "::/EFI/vendor/a long Name.efi" in listed.stdout
    head = image.read_bytes()[:512]
    assert int.from_bytes(head[11:13], "little") == sector_size
    assert int.from_bytes(head[28:32], "little") == 4096
    assert head[39:43] == bytes.fromhex("7B7795E7")[::-1]


def test_the_same_entries_give_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = make(tmp_path / "image")
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    (tmp_path / ".mtoolsrc").write_text("MTOOLS_LOWER_CASE=1\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    other = make(tmp_path / "other")
    assert sha256(first.read_bytes()).digest() == sha256(other.read_bytes()).digest()


def test_a_file_that_was_not_copied_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def without_files(image: Path, folder: Path, found: list[Entry], epoch: int) -> None:
        copy(image, folder, found[:-1], epoch)

    copy = module._copy
    monkeypatch.setattr(module, "_copy", without_files)
    with pytest.raises(BootimgError) as error:
        make(tmp_path / "image")
    assert error.value.id == "boot-filesystem-damaged"
    assert error.value.context[0] == "EFI/vendor/a long Name.efi"
