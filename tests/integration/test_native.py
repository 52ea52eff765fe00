"""The stand-in layer's disk by `--deploy native`, compared with the appliance's, and booted."""

from __future__ import annotations

import json
import os
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from bootimg.arches.row import Firmware
from tests.integration.conftest import Built, Workspace
from tests.integration.test_boot import boot, ignition
from tests.integration.test_disk import loop, mounted, output, partition
from tests.integration.test_sysroot import unexplained
from tests.support.ostreedeploy import Facts, facts_of_folder

pytestmark = [pytest.mark.real, pytest.mark.matrix]

MODULES = "grub2/i386-pc"


@pytest.fixture(scope="module")
def native(tmp_path_factory: pytest.TempPathFactory, layer: Path) -> Built:
    """The stand-in layer, built natively in a cache of its own."""
    root = tmp_path_factory.mktemp("native")
    workspace = Workspace(root / "cache", root / "builds")
    done = workspace.bootimg("build", layer, "-p", "qemu", "--deploy", "native", "--json")
    assert b"the appliance makes the base disk" not in done.stderr
    return Built(workspace, json.loads(done.stdout))


@dataclass(frozen=True)
class Names:
    """The names of a disk's file systems."""

    root: dict[str, Facts]
    boot: dict[str, Facts]
    esp: dict[str, bytes | None]


def read(disk: Path, folder: Path) -> Names:
    """What the kernel finds on a disk's root and /boot, and mtools on its ESP."""
    folder.mkdir()
    with ExitStack() as stack:
        options = {"root": "ro,norecovery,nouuid", "boot": "ro,noload"}
        root, boot = (
            facts_of_folder(
                stack.enter_context(mounted(stack.enter_context(loop(disk, name)), each, folder / name))
            )
            for name, each in options.items()
        )
    return Names(root, boot, read_esp(disk, folder / "esp"))


def read_esp(disk: Path, folder: Path) -> dict[str, bytes | None]:
    folder.mkdir()
    start = partition(disk, "EFI-SYSTEM")["offset"]
    output("mcopy", "-s", "-n", "-i", f"{disk}@@{start}", "::/*", folder)
    return {
        os.fspath(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


@dataclass(frozen=True)
class Both:
    """The names of the appliance's disk and of ours."""

    theirs: Names
    ours: Names

    @property
    def now(self) -> int:
        """The recipe's source epoch: the time of all that ostree stamps by the clock."""
        return int(self.ours.root[""]["mtime"])


@pytest.fixture(scope="module")
def both(native: Built, built: Built, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    if os.geteuid() != 0:
        pytest.skip("mounts the disks on this machine: needs root")
    folder = tmp_path_factory.mktemp("both")
    yield Both(read(built.base, folder / "theirs"), read(native.base, folder / "ours"))


def test_the_root_is_the_appliance_s(both: Both) -> None:
    found = unexplained(both.theirs.root, both.ours.root, both.now)
    # setfiles leaves the folders of objects out with the objects, and labels `upper` by its path.
    assert set(found) == {"xattrs"}
    others = {name for name in found["xattrs"] if not name.startswith("ostree/repo/objects")}
    assert {name.rpartition("/")[2] for name in others} == {"upper"}
    assert len(both.ours.root) > 20_000


def test_boot_is_the_appliance_s(both: Both) -> None:
    found = unexplained(both.theirs.boot, both.ours.boot, both.now)
    # The appliance's ostree names Android's boot files, which do not exist.
    assert found == {"content": {"loader.1/entries/ostree-1.conf"}}
    assert f"{MODULES}/normal.mod" in both.ours.boot


def test_the_esp_is_the_appliance_s(both: Both) -> None:
    assert both.ours.esp == both.theirs.esp
    assert "EFI" in both.ours.esp


def test_the_boot_code_is_the_appliance_s(native: Built, built: Built) -> None:
    with native.base.open("rb") as ours, built.base.open("rb") as theirs:
        assert ours.read(2 << 20) == theirs.read(2 << 20)


def test_a_second_cache_gives_the_same_disk_without_the_appliance(
    native: Built, tmp_path: Path, layer: Path
) -> None:
    """The bootloader's products are kept, the disk is made again, by another clock and in another zone."""
    workspace = Workspace(tmp_path / "cache", tmp_path / "builds")
    workspace.cache.mkdir()
    cores = native.workspace.cache / "bootloaders"
    subprocess.run(["cp", "-r", cores, workspace.cache / "bootloaders"], check=True)
    done = workspace.bootimg(
        "build", layer, "-p", "qemu", "--deploy", "native", "--json", TZ="Pacific/Auckland", LC_ALL="C"
    )
    assert b"appliance" not in done.stderr
    found = Built(workspace, json.loads(done.stdout))
    assert seal(found)["digest"] == seal(native)["digest"]
    assert seal(found)["native"] is True


def seal(built: Built) -> dict[str, object]:
    return dict(json.loads(built.base.with_name("seal.json").read_bytes()))


@pytest.mark.boot
def test_it_boots_by_bios(native: Built, tmp_path: Path) -> None:
    word = uuid.uuid4().hex
    config, disk = tmp_path / "config.ign", tmp_path / "disk.qcow2"
    config.write_bytes(ignition(word))
    disk.write_bytes(native.artifact("qemu").read_bytes())
    said = boot(disk, tmp_path / "console.log", config, Firmware.BIOS)
    assert said["file"] == word
    assert said["firstboot"] == "gone"
    assert said["failed"] == "[]"
    assert said["table"] == "No problems found"
