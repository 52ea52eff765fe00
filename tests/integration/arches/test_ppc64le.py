"""Disks of ppc64le, made on whatever machine this is, boot: from Open Firmware, by QEMU's emulation."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest

from bootimg import process
from bootimg.arch import Arch
from bootimg.cache import Cache
from bootimg.disk.bootloaders.grub import PREFIX, core_modules, early_config
from bootimg.disk.bootloaders.openfirmware import MODULES
from bootimg.disk.view import DiskView
from bootimg.events import Events
from bootimg.layer.fetching.fetch import fetch
from bootimg.layer.tree.merged import open_tree
from bootimg.platform import platforms
from tests.integration.arches.foreigndisks import (
    SCRIPT,
    build,
    check_compressed,
    check_large_sectors,
    check_platforms,
    check_two_boots,
    running,
    up,
)
from tests.integration.boots.test_boot import DEADLINE, ignition
from tests.integration.conftest import Built, Workspace
from tests.layer.small import small_layer

PPC64LE = Arch.PPC64LE
PLATFORMS = ("metal", "metal4k", "openstack", "powervs", "qemu")
PREP = 1


@pytest.fixture(scope="module")
def built(own: Workspace) -> Built:
    """The small layer's image for QEMU."""
    return build(own, PPC64LE, "qemu")


def test_nothing_is_wrong_with_the_build(built: Built) -> None:
    built.workspace.bootimg("verify", built.path)
    found = json.loads(built.workspace.bootimg("inspect", built.artifact("qemu"), "--json").stdout)
    code = {each["name"]: each["boot-code"] for each in found["partitions"]}
    assert code == {"PowerPC-PReP-boot": True, "reserved": None, "boot": None, "root": None}


def test_the_core_image_is_the_one_of_grub_mkimage(built: Built, disk: Path, tmp_path: Path) -> None:
    """Of the layer's own modules; this machine's program may be another version than they are."""
    folder, cache = tmp_path / "modules", Cache(built.workspace.cache)
    folder.mkdir()
    tree = open_tree(
        fetch(str(small_layer(PPC64LE)), arch=PPC64LE, cache=cache, events=Events()), cache, Events()
    )
    for name in tree.listdir(MODULES):
        (folder / name).write_bytes(tree.read(f"{MODULES}/{name}"))
    (folder / "early.cfg").write_text(early_config())
    wanted = core_modules({path.stem for path in folder.glob("*.mod")}, drivers=())
    program = process.find("grub2-mkimage") or process.require("grub-mkimage", packages="grub-common")
    process.run(
        [
            program, "-O", "powerpc-ieee1275", "-d", folder, "-p", PREFIX, "-c", folder / "early.cfg",
            "-o", folder / "core", *wanted,
        ]
    )  # fmt: skip
    (tmp_path / "view").mkdir()
    view = DiskView(disk, "qcow2", tmp_path / "view")
    start, length = view.gpt.span(PREP)
    view.fetch(start, length)
    with view.path.open("rb") as file:
        file.seek(start)
        assert file.read(length) == (folder / "core").read_bytes().ljust(length, b"\0")


@pytest.mark.boot
def test_the_disk_boots_from_its_own_firmware(disk: Path, tmp_path: Path) -> None:
    # Without any, Ignition waits for one: it cannot tell that there will be no drive with a config.
    config = tmp_path / "config.ign"
    config.write_text('{"ignition": {"version": "3.0.0"}}')
    with running(disk, tmp_path / "console.log", PPC64LE, config) as guest:
        guest.wait_for(up(PPC64LE), DEADLINE)


@pytest.mark.boot
@pytest.mark.matrix
def test_ignition_runs_once_and_the_root_grows(disk: Path, tmp_path: Path) -> None:
    check_two_boots(disk, tmp_path, PPC64LE)


@pytest.mark.boot
@pytest.mark.matrix
def test_bootimg_run_gives_ignition_its_config(built: Built, tmp_path: Path) -> None:
    """The config comes from a block device, because this firmware has no fw_cfg."""
    word, log = uuid.uuid4().hex, tmp_path / "console.log"
    (tmp_path / "config.ign").write_bytes(ignition(word, SCRIPT))
    words = ("-i", tmp_path / "config.ign", "--console", log, "--accel", "tcg", "--network", "off")
    built.workspace.bootimg("run", *words, built.artifact("qemu"))
    assert f"REPORT-42 file={word}" in log.read_text(errors="replace")


@pytest.mark.boot
@pytest.mark.matrix
def test_a_disk_with_sectors_of_4096_bytes_boots(own: Workspace, tmp_path: Path) -> None:
    check_large_sectors(own, tmp_path, PPC64LE)


@pytest.mark.matrix
def test_every_platform_of_the_architecture_is_made_and_verified(own: Workspace, tmp_path: Path) -> None:
    assert {each.name for each in platforms().values() if PPC64LE in each.arches and each.buildable} == set(
        PLATFORMS
    )
    check_compressed(check_platforms(own, tmp_path, PPC64LE, PLATFORMS), PPC64LE)
