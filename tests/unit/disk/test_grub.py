import os
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from bootimg.disk.bootloaders.bios_grub import install_bios_grub
from bootimg.disk.bootloaders.grub import core_modules, early_config, esp_stub, grub_cfg
from bootimg.disk.extents import FileSource
from bootimg.disk.gpt import write_gpt
from bootimg.errors import BootimgError
from bootimg.sizes import MIB
from tests.support.disks import read_gpt_file
from tests.unit.disk.test_gpt import coreos


def boot_image() -> bytes:
    return bytes(range(256)) + bytes(254) + b"\x55\xaa"


def core_image(size: int = 3000) -> bytes:
    first = b"\x52" * 500 + struct.pack("<QHH", 2, 0, 0x820)
    return first + os.urandom(size - len(first))


def test_boot_sector_and_core_image_point_at_each_other(tmp_path: Path) -> None:
    disk, gpt = tmp_path / "disk", coreos()
    write_gpt(disk, gpt)
    with disk.open("r+b") as file:
        file.seek(0x1B8)
        file.write(b"SIGN")
        file.seek(MIB + 512 * 1024)
        file.write(b"left from an older core image")
    core = core_image()
    install_bios_grub(disk, boot_image=boot_image(), core_image=core, start=MIB, length=MIB)
    with FileSource(disk) as source:
        sector, placed = source.read(0, 512), source.read(MIB, MIB)
    assert struct.unpack_from("<Q", sector, 0x5C) == (2048,)
    assert sector[0x64] == 0xFF
    assert sector[0x66:0x68] == b"\x90\x90"
    assert sector[3:0x5A] == bytes(0x57)
    assert sector[0x5A:0x5C] == boot_image()[0x5A:0x5C]
    assert sector[0x68:0x100] == boot_image()[0x68:0x100]
    assert sector[0x1B8:0x1BC] == b"SIGN"
    assert struct.unpack_from("<QHH", placed, 0x1F4) == (2049, 5, 0x820)
    assert struct.unpack_from("<QHH", placed, 0x1F4 - 12) == (0, 0, 0)
    assert placed[512:3000] == core[512:]
    assert not any(placed[3000:])
    assert read_gpt_file(disk) == gpt


@pytest.mark.parametrize(
    ("boot", "core", "length"),
    [
        (boot_image()[:-1], core_image(), MIB),
        (bytes(512), core_image(), MIB),
        (boot_image(), core_image()[:512], MIB),
        (boot_image(), bytes(3000), MIB),
        (boot_image(), core_image(4096), 2048),
        (boot_image(), core_image(480 * 1024), MIB),
    ],
)
def test_images_that_cannot_boot_are_refused_and_the_disk_stays(
    tmp_path: Path, boot: bytes, core: bytes, length: int
) -> None:
    disk = tmp_path / "disk"
    disk.write_bytes(bytes(3 * MIB))
    with pytest.raises(BootimgError) as caught:
        install_bios_grub(disk, boot_image=boot, core_image=core, start=MIB, length=length)
    assert caught.value.id == "grub-image-invalid"
    assert not any(disk.read_bytes())


def test_the_module_with_blscfg_is_chosen_by_what_there_is() -> None:
    assert core_modules({"blsuki"})[-1] == "blsuki"
    assert core_modules({"blscfg", "blsuki"})[-1] == "blscfg"
    assert "ext2" in core_modules({"blsuki"})
    with pytest.raises(BootimgError) as caught:
        core_modules({"ext2", "normal"})
    assert caught.value.id == "grub-blscfg-missing"


@pytest.mark.skipif(not shutil.which("grub-script-check"), reason="grub-common is not installed")
@pytest.mark.parametrize("text", [grub_cfg(), esp_stub(), esp_stub("other"), early_config()])
def test_grub_itself_parses_the_configuration(text: str) -> None:
    subprocess.run(["grub-script-check"], input=text.encode(), check=True)


def test_the_configuration_has_no_entries_of_its_own() -> None:
    assert "menuentry" not in grub_cfg()
    assert "\nblscfg\n" in grub_cfg()
    assert "if" not in early_config().split()
