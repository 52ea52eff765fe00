"""The qcow2 boots: Ignition runs once, the stamps are replaced, the root grows."""

from __future__ import annotations

import json
import os
import re
import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path

import pytest

from bootimg.arch import Arch
from bootimg.arches.row import Firmware
from bootimg.vm.accelerator import Accelerator
from bootimg.vm.diskimage import DiskImage, open_image
from bootimg.vm.firmware import make_flash
from bootimg.vm.guest import Guest
from bootimg.vm.machine import Machine
from bootimg.vm.network import RESTRICTED
from tests.integration.builds.test_disk import loop, output
from tests.integration.conftest import Built

BOOT_STAMP = "96d15588-3596-4b3c-adca-a2ff7279ea63"
ROOT_STAMP = "910678ff-f77e-4a7d-8d53-86f2ac47a823"
DISK_STAMP = "00000000-0000-4000-A000-000000000001"
GIB = 1 << 30
CHECKS = (("root", "xfs_repair", "-n"), ("boot", "e2fsck", "-fn"), ("EFI-SYSTEM", "fsck.fat", "-n"))
# Generous: a boot under TCG takes ten times as long on a busy machine.
DEADLINE = 2400

# Linux has died of a double fault behind a cmpxchg16b whose flags were another register's: QEMU 7.2's
# translation, once in dozens of boots.  A kernel that does not see the instruction has another way; programs
# compiled for x86-64-v2 have not, but Debian's are not.
CPU = ("-cpu", "max,-erms,-fsrm,-cx16")
# The shell computes what is waited for: the journal echoes the config, which holds the script's text.
SCRIPT = """
say() { echo "REPORT-$((6*7)) $1"; }
say "file=$(cat /etc/written-by-ignition)"
say "boot=$(findmnt -no UUID /boot)"
say "root=$(findmnt -no UUID /sysroot)"
say "disk=$(sfdisk --disk-id /dev/vda)"
say "size=$(df -B1 --output=size /sysroot | tail -n 1 | tr -d ' ')"
say "firstboot=$(test -e /boot/ignition.firstboot && echo there || echo gone)"
say "failed=[$(systemctl --failed --no-legend --plain | cut -d' ' -f1 | tr '\\n' ' ')]"
say "cmdline=$(cat /proc/cmdline)"
say "table=$(sgdisk -v /dev/vda | grep -o 'No problems found')"
say "end=end"
"""
UNIT = """[Unit]
After=multi-user.target ignition-firstboot-complete.service
[Service]
Type=oneshot
StandardOutput=journal+console
ExecStart=/bin/bash /etc/report.sh
ExecStartPost=/bin/systemctl --no-block poweroff
[Install]
WantedBy=multi-user.target
"""


def ignition(word: str, text: str = SCRIPT) -> bytes:
    from base64 import b64encode

    script = "data:;base64," + b64encode(text.encode()).decode()
    config = {
        "ignition": {"version": "3.0.0"},
        "storage": {
            "files": [
                {"path": "/etc/written-by-ignition", "mode": 0o644, "contents": {"source": f"data:,{word}"}},
                {"path": "/etc/report.sh", "mode": 0o755, "contents": {"source": script}},
            ]
        },
        "systemd": {"units": [{"name": "report.service", "enabled": True, "contents": UNIT}]},
    }
    return json.dumps(config).encode()


def boot(
    disk: Path | DiskImage,
    log: Path,
    config: Path | None,
    firmware: Firmware,
    options: Sequence[str] = (),
    netdev: str = RESTRICTED,
) -> dict[str, str]:
    """Boot until the guest powers itself off; what its unit reported.

    `options` are QEMU's, and `netdev` is its option of that name.
    """
    machine = Machine(
        arch=Arch.X86_64,
        accelerator=Accelerator("tcg", "the tests' choice"),
        disk=disk if isinstance(disk, DiskImage) else open_image(disk, "qcow2"),
        netdev=netdev,
        console=log,
        flash=make_flash(Arch.X86_64, firmware, log.parent),
        ignition=config,
        write=True,
        reboot=False,
        options=[*CPU, *options],
    )
    with Guest(machine) as guest:
        guest.wait_for(r"REPORT-42 end=end", DEADLINE)
        guest.wait_off(DEADLINE)
        text = guest.console.text
    return dict(re.findall(r"REPORT-42 (\w+)=(.*?)$", text, re.MULTILINE))


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    word = uuid.uuid4().hex
    path = tmp_path_factory.mktemp("config") / "config.ign"
    path.write_bytes(ignition(word))
    return path, word


@pytest.fixture(scope="module")
def disk(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy that the guest may write to."""
    copy = tmp_path_factory.mktemp("disk") / "disk.qcow2"
    shutil.copyfile(built.artifact("qemu"), copy)
    return copy


@pytest.fixture(scope="module")
def first(disk: Path, config: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return boot(disk, tmp_path_factory.mktemp("first") / "console.log", config[0], Firmware.BIOS)


@pytest.mark.boot
def test_ignition_runs_on_the_first_boot(first: dict[str, str], config: tuple[Path, str]) -> None:
    assert first["file"] == config[1]
    assert "ignition.firstboot" in first["cmdline"]
    assert first["firstboot"] == "gone"
    assert first["failed"] == "[]"


@pytest.mark.boot
def test_the_platform_and_its_consoles_are_on_the_command_line(first: dict[str, str]) -> None:
    arguments = first["cmdline"].split()
    tail = ["ignition.platform.id=qemu", "console=tty0", "console=ttyS0,115200n8"]
    assert arguments[-3:] == tail
    assert not [each for each in arguments if each.startswith(("root=", "boot="))]


@pytest.mark.boot
def test_the_stamps_are_replaced_and_the_root_has_grown(first: dict[str, str]) -> None:
    assert uuid.UUID(first["boot"]) != uuid.UUID(BOOT_STAMP)
    assert uuid.UUID(first["root"]) != uuid.UUID(ROOT_STAMP)
    assert uuid.UUID(first["disk"]) != uuid.UUID(DISK_STAMP)
    assert int(first["size"]) > 3 << 30
    assert first["table"] == "No problems found"


@pytest.mark.boot
def test_the_second_boot_runs_no_ignition(
    first: dict[str, str], disk: Path, tmp_path: Path, config: tuple[Path, str]
) -> None:
    other = tmp_path / "other.ign"
    other.write_bytes(ignition("written-again"))
    second = boot(disk, tmp_path / "console.log", other, Firmware.BIOS)
    assert second["file"] == config[1]
    assert "ignition.firstboot" not in second["cmdline"]
    assert (second["boot"], second["root"], second["disk"]) == (first["boot"], first["root"], first["disk"])


@pytest.mark.boot
def test_it_boots_with_uefi(built: Built, tmp_path: Path, config: tuple[Path, str]) -> None:
    copy = tmp_path / "disk.qcow2"
    shutil.copyfile(built.artifact("qemu"), copy)
    found = boot(copy, tmp_path / "console.log", config[0], Firmware.UEFI)
    assert found["file"] == config[1]
    assert found["failed"] == "[]"


@pytest.mark.boot
@pytest.mark.matrix
@pytest.mark.parametrize("firmware", [Firmware.BIOS, Firmware.UEFI])
def test_the_disk_of_the_appliance_boots(
    firmware: Firmware, by_appliance: Built, tmp_path: Path, config: tuple[Path, str]
) -> None:
    copy = tmp_path / "disk.qcow2"
    shutil.copyfile(by_appliance.artifact("qemu"), copy)
    found = boot(copy, tmp_path / "console.log", config[0], firmware)
    assert (found["file"], found["failed"], found["firstboot"]) == (config[1], "[]", "gone")
    assert uuid.UUID(found["root"]) != uuid.UUID(ROOT_STAMP)
    assert int(found["size"]) > 3 << 30


@pytest.mark.boot
@pytest.mark.matrix
@pytest.mark.skipif(os.geteuid() != 0, reason="reads the disk on this machine: needs root")
@pytest.mark.parametrize(("gib", "firmware"), [(16, Firmware.UEFI), (100, Firmware.BIOS)])
def test_the_root_fills_a_larger_disk_and_all_is_clean_after_two_boots(
    gib: int, firmware: Firmware, built: Built, tmp_path: Path, config: tuple[Path, str]
) -> None:
    disk, raw = tmp_path / "disk.qcow2", tmp_path / "disk.raw"
    shutil.copyfile(built.artifact("qemu"), disk)
    output("qemu-img", "resize", "-q", disk, f"{gib}G")
    first, second = (
        boot(disk, tmp_path / f"{each}.log", config[0], firmware) for each in ("first", "second")
    )
    for found in (first, second):
        assert (found["file"], found["failed"], found["firstboot"]) == (config[1], "[]", "gone")
        assert found["table"] == "No problems found"
        assert int(found["size"]) > (gib - 1) * GIB
    assert (second["root"], second["boot"], second["disk"]) == (first["root"], first["boot"], first["disk"])
    output("qemu-img", "convert", "-O", "raw", disk, raw)
    for name, *check in CHECKS:
        with loop(raw, name) as device:
            output(*check, device)
