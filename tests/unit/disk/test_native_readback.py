"""What bootupd left on a scratch disk, read back: real file systems, made without a mount."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from bootimg.appliance import Appliance, Drive
from bootimg.disk.base import disk_gpt
from bootimg.disk.bootloaders.bootcode import BootCode
from bootimg.disk.gpt import Gpt
from bootimg.disk.native.esp import make_esp
from bootimg.disk.native.ext4 import make_ext4
from bootimg.disk.native.ext4fill import fill_ext4
from bootimg.disk.native.products import readback
from bootimg.disk.native.products.bootupd import ByBootupd
from bootimg.disk.native.products.products import Products
from bootimg.disk.xfs.sparse import copy_data
from bootimg.manifest.recipe import Ext4, Fat, Recipe
from bootimg.sysroot.entries import Entry, directory, symlink, text
from bootimg.sysroot.unsupported import NativeUnsupportedError
from tests.unit.disk.test_bootloaders import layer, recipe

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ("debugfs", "mcopy", "mkfs.fat"))), reason="a program is not installed"
)

EPOCH = 1_700_000_000
NOW = EPOCH * 10**9
ROOT = [directory("", 0o755, NOW), directory("lost+found", 0o700, NOW), directory("efi", 0o755, NOW)]
BOOT = [
    text("bootupd-state.json", b'{"installed":{}}', NOW),
    directory("grub2", 0o700, NOW),
    replace(text("grub2/grub.cfg", b"blscfg\n" * 5000, NOW, 0o600), uid=7, gid=70_000),
    text("grub2/grubenv", b"#" * 1024, NOW),
    directory("grub2/locale", 0o755, NOW),
    text("grub2/locale/en@quot.mo", b"", NOW),
]
ESP = [
    directory("EFI", 0o755, NOW),
    directory("EFI/fedora", 0o755, NOW),
    text("EFI/fedora/BOOTX64.CSV", b"csv", NOW),
    text("EFI/fedora/grubx64.efi", b"MZ" * 70_000, NOW),
]
CODE = BootCode(b"\xeb\x63\x90" + bytes(507) + b"\x55\xaa", b"\x52" * 900)


class Machine:
    """An appliance that notes what it runs; bootupd's state file names both components."""

    log = Path("console.log")

    def __init__(self) -> None:
        self.programs: list[str] = []

    def run(self, argv: Sequence[str], *, timeout: float, env: object = None) -> bytes:
        self.programs.append(argv[0])
        return b'{"installed": {"BIOS": {}, "EFI": {}}}'

    def device(self, label: str, partition: int | None = None) -> str:
        return f"/dev/{label}{partition or ''}"


def fill(disk: Path, gpt: Gpt, found: Recipe, boot: Sequence[Entry], esp: Sequence[Entry]) -> None:
    """Leave on a disk what bootupd leaves."""
    for filesystem in found.filesystems:
        offset, size = gpt.span(filesystem.partition)
        image = disk.with_name(f"partition-{filesystem.partition}")
        with image.open("wb") as file:
            file.truncate(size)
        if isinstance(filesystem, Ext4):
            make_ext4(image, filesystem, sector_size=512, epoch=EPOCH)
            fill_ext4(image, [*ROOT, *boot], epoch=EPOCH)
        elif isinstance(filesystem, Fat):
            make_esp(image, filesystem, esp, start=offset // 512, sector_size=512, epoch=EPOCH)
        with image.open("rb") as source, disk.open("r+b") as target:
            copy_data(source.fileno(), target.fileno(), (0, size), offset)
    CODE.place(disk, gpt)


def make(tmp_path: Path, boot: Sequence[Entry] = BOOT, esp: Sequence[Entry] = ESP) -> Products:
    """The products of a bootupd that leaves these files."""
    found = recipe()
    assert found.bootloader is not None
    maker = ByBootupd(found, found.bootloader, layer(tmp_path, bootupd=True))
    machine, scratch = Machine(), tmp_path / "scratch"
    scratch.mkdir()

    @contextmanager
    def start(drives: Sequence[Drive]) -> Iterator[Appliance]:
        [drive] = drives
        yield cast(Appliance, machine)
        fill(drive.path, disk_gpt(found.disk, maker.key), found, boot, esp)

    products = maker.make(start, scratch)
    assert machine.programs.count("bootupctl") == 1
    assert "ostree" not in machine.programs
    assert not [*scratch.iterdir()]
    return products


def timeless(entries: Sequence[Entry]) -> list[Entry]:
    return [replace(entry, mtime=0) for entry in entries]


def test_all_that_bootupd_left_is_read_back(tmp_path: Path) -> None:
    products = make(tmp_path)
    assert list(products.boot) == timeless(BOOT)
    assert list(products.esp) == timeless(ESP)
    assert isinstance(products.code, BootCode)
    assert products.code.partition == CODE.partition
    assert products.code.sector[:3] == CODE.sector[:3]


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        (symlink("grub2/grub.cfg", "../loader/grub.cfg", NOW), "no plain file"),
        (text("grub2/a b", b"", NOW), "unusual name"),
        (text("grub2/-x", b"", NOW), "unusual name"),
    ],
)
def test_files_that_no_bootloader_has_go_to_the_appliance(entry: Entry, why: str, tmp_path: Path) -> None:
    with pytest.raises(NativeUnsupportedError, match=why):
        make(tmp_path, [directory("grub2", 0o755, NOW), entry])


def test_an_unusual_name_on_the_esp_goes_to_the_appliance(tmp_path: Path) -> None:
    with pytest.raises(NativeUnsupportedError, match="the ESP, which has an unusual name"):
        make(tmp_path, esp=[directory("EFI", 0o755, NOW), text("EFI/a b", b"", NOW)])


@pytest.mark.parametrize(
    ("limit", "value", "boot", "where"),
    [
        ("_MOST_FILES", 5, BOOT, "/boot"),
        ("_MOST_BYTES", 35_000, BOOT, "/boot"),
        # With the directories that the recipe makes, and lost+found.
        ("_MOST_FILES", 3, BOOT[:1], "the ESP"),
        ("_MOST_BYTES", 139_000, BOOT[:1], "the ESP"),
    ],
)
def test_more_than_a_bootloader_has_goes_to_the_appliance(
    limit: str, value: int, boot: Sequence[Entry], where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readback, limit, value)
    with pytest.raises(NativeUnsupportedError, match=f"more on {where} than a bootloader has"):
        make(tmp_path, boot)


def test_a_damaged_file_system_is_not_read(tmp_path: Path) -> None:
    image = tmp_path / "image"
    with image.open("wb") as file:
        file.truncate(64 << 20)
    subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", image], check=True)
    subprocess.run(["debugfs", "-w", "-R", "clri <2>", image], check=True, capture_output=True)
    with pytest.raises(NativeUnsupportedError, match="/boot damaged"):
        readback.boot_entries(image, 0, 64 << 20, scratch=tmp_path)
    with image.open("r+b") as file:
        file.write(bytes(1 << 20))
    with pytest.raises(NativeUnsupportedError, match="the ESP damaged"):
        readback.esp_entries(image, 0, 64 << 20, scratch=tmp_path)
