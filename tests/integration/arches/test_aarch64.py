"""Disks of aarch64, made on whatever machine this is, boot: from UEFI, by QEMU's emulation."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from bootimg.arch import Arch
from bootimg.disk.extents import FileSource, copy_sparse
from bootimg.disk.gpt import read_gpt
from bootimg.disk.native.content import read_content
from bootimg.disk.native.products.readback import esp_entries
from bootimg.sysroot.entries import Kind
from tests.integration.arches.foreigndisks import (
    build,
    check_compressed,
    check_large_sectors,
    check_platforms,
    check_two_boots,
    running,
    up,
)
from tests.integration.boots.test_boot import DEADLINE
from tests.integration.conftest import Built, Workspace
from tests.layer.small import small_layer

AARCH64 = Arch.AARCH64
PLATFORMS = (
    "applehv", "aws", "azure", "gcp", "hetzner", "hyperv", "metal", "metal4k", "openstack", "oraclecloud",
    "qemu",
)  # fmt: skip


@pytest.fixture(scope="module")
def built(own: Workspace) -> Built:
    """The small layer's image for QEMU."""
    return build(own, AARCH64, "qemu")


def test_nothing_is_wrong_with_the_build(built: Built) -> None:
    built.workspace.bootimg("verify", built.path)


@pytest.fixture(scope="module")
def with_bootupd(own: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The image of the layer with bootupd, which cannot run here."""
    other = Workspace(own.cache, tmp_path_factory.mktemp("bootupd"))
    layer = small_layer(AARCH64, bootupd=True)
    done = other.bootimg("build", layer, "--arch", "aarch64", "-p", "qemu", "--json")
    assert b"appliance" not in done.stderr
    return Built(other, json.loads(done.stdout))


def test_the_disk_has_what_bootupd_would_leave(with_bootupd: Built, tmp_path: Path) -> None:
    """Its state file names each file of the ESP as it is, so `bootupctl validate` has nothing to say."""
    with_bootupd.workspace.bootimg("verify", with_bootupd.path)
    with FileSource(with_bootupd.base) as source:
        gpt = read_gpt(source)
        offset, length = gpt.span(3)
        copy_sparse(source, tmp_path / "boot", offset=offset, length=length)
    esp = esp_entries(with_bootupd.base, *gpt.span(2), scratch=tmp_path)
    state = json.loads(boot_file(tmp_path, "bootupd-state.json"))
    assert state["static-configs"]["version"] == "0.3.2"
    children = state["installed"]["EFI"]["filetree"]["children"]
    files = {
        each.path.decode().removeprefix("EFI/"): hashlib.sha512(read_content(each)).hexdigest()
        for each in esp
        if each.kind is Kind.FILE
    }
    assert "redhat/grub.cfg" in files
    assert {path: f"sha512:{digest}" for path, digest in files.items() if path in children} == {
        path: each["sha512"] for path, each in children.items()
    }
    assert b"### BEGIN 10_blscfg.cfg ###\nblscfg\n" in boot_file(tmp_path, "grub2/grub.cfg")
    assert len(boot_file(tmp_path, "grub2/grubenv")) == 1024


def boot_file(folder: Path, path: str) -> bytes:
    """A file of the file system in `folder`/boot."""
    done = subprocess.run(["debugfs", "-R", f"cat /{path}", folder / "boot"], capture_output=True, check=True)
    return done.stdout


@pytest.mark.boot
@pytest.mark.matrix
def test_the_disk_with_bootupd_s_files_boots(with_bootupd: Built, tmp_path: Path) -> None:
    image = Path(shutil.copyfile(with_bootupd.artifact("qemu"), tmp_path / "disk.qcow2"))
    with running(image, tmp_path / "console.log", AARCH64) as guest:
        guest.wait_for(up(AARCH64), DEADLINE)


@pytest.mark.boot
def test_the_disk_boots_from_its_own_firmware(disk: Path, tmp_path: Path) -> None:
    with running(disk, tmp_path / "console.log", AARCH64) as guest:
        guest.wait_for(up(AARCH64), DEADLINE)


@pytest.mark.boot
@pytest.mark.matrix
def test_ignition_runs_once_and_the_root_grows(disk: Path, tmp_path: Path) -> None:
    check_two_boots(disk, tmp_path, AARCH64)


@pytest.mark.boot
@pytest.mark.matrix
def test_a_disk_with_sectors_of_4096_bytes_boots(own: Workspace, tmp_path: Path) -> None:
    check_large_sectors(own, tmp_path, AARCH64)


@pytest.mark.matrix
def test_every_platform_of_the_architecture_is_made_and_verified(own: Workspace, tmp_path: Path) -> None:
    check_compressed(check_platforms(own, tmp_path, AARCH64, PLATFORMS), AARCH64)
