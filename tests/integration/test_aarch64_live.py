"""Live media of aarch64, made on whatever machine this is: an ISO that UEFI alone starts, files for PXE."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bootimg import process
from bootimg.arch import Arch
from bootimg.errors import BootimgError
from bootimg.live.fsoptions import FsType
from bootimg.live.programs.choice import require_here
from bootimg.live.programs.known import MAKERS
from bootimg.live.reading.describe import describe_iso
from bootimg.targets import LIVE
from tests.integration.conftest import Built, Workspace
from tests.integration.test_boot import ignition
from tests.layer import tools
from tests.layer.small import small_layer
from tests.support.debianprograms import squashfs_programs

KEYS = ("live-iso", "live-kernel", "live-initramfs", "live-rootfs")
DEADLINE = 2400
SCRIPT = """
say() { echo "REPORT-$((6*7)) $1"; }
say "file=$(cat /etc/written-by-ignition)"
say "root=$(findmnt -no FSTYPE /sysroot)"
say "live=$(test -e /run/ostree-live && echo yes)"
say "arch=$(uname -m)"
say "failed=[$(systemctl --failed --no-legend --plain | cut -d' ' -f1 | tr '\\n' ' ')]"
say "cmdline=$(cat /proc/cmdline)"
say "end=end"
"""


@pytest.fixture(scope="module")
def path() -> str:
    """A PATH with an sqfstar that is new enough: the layer's own does not run here."""
    try:
        require_here(MAKERS[FsType.SQUASHFS])
    except BootimgError:
        programs = squashfs_programs()
        if reason := programs.why_not():
            pytest.skip(reason)
        return f"{programs.folder()}:{os.environ['PATH']}"
    return os.environ["PATH"]


@pytest.fixture(scope="module")
def built(path: str, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The small layer's live media."""
    root = tmp_path_factory.mktemp("aarch64-live")
    workspace = Workspace(root / "cache", root / "builds")
    done = workspace.bootimg(
        "build", small_layer(Arch.AARCH64), "--arch", "aarch64", "-p", "live", "--json", PATH=path
    )
    return Built(workspace, json.loads(done.stdout))


def said(*argv: str | Path) -> str:
    done = subprocess.run(argv, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return (done.stdout + done.stderr).decode(errors="replace")


def shown(built: Built) -> dict[str, Any]:
    """What the ISO is."""
    return describe_iso(built.artifact("live-iso"))


def test_the_four_files_are_made_and_nothing_is_wrong_with_them(built: Built, path: str) -> None:
    names = [built.artifact(key).name.partition("-live-")[2] for key in KEYS]
    assert names == ["iso.aarch64.iso", "kernel.aarch64", "initramfs.aarch64.img", "rootfs.aarch64.img"]
    assert tuple(each.key for each in LIVE.files) == KEYS
    found = json.loads(built.workspace.bootimg("verify", built.path, "--json", PATH=path).stdout)
    assert found["findings"] == []


def test_the_iso_says_whose_it_is_and_has_no_menu_for_a_bios(built: Built) -> None:
    found = shown(built)
    assert (found["arch"], found["boots-as-disk"]) == ("aarch64", False)
    assert len(found["kargs-areas"]) == 1
    assert "console=" not in found["kargs-default"]
    assert f"coreos.liveiso={found['volume-id']}" in found["kargs-default"].split()


@pytest.mark.skipif(process.find("xorriso") is None, reason="xorriso is not installed")
def test_the_boot_catalogue_has_uefi_alone(built: Built) -> None:
    report = said("xorriso", "-indev", built.artifact("live-iso"), "-report_el_torito", "plain")
    images = [line for line in report.splitlines() if line.startswith("El Torito boot img")]
    assert len(images) == 1
    assert " UEFI  y " in images[0]
    assert re.search(r"^El Torito img path :   1  /images/efiboot\.img$", report, re.MULTILINE)
    files = said("xorriso", "-indev", built.artifact("live-iso"), "-find", "/", "-type", "f")
    assert "isolinux" not in files
    assert "'/EFI/redhat/grub.cfg'" in files


def test_coreos_installer_reads_and_changes_it(built: Built, tmp_path: Path) -> None:
    if reason := tools.why_not("coreos-installer"):
        pytest.skip(reason)
    installer, iso = tools.program("coreos-installer"), tmp_path / "live.iso"
    config = tmp_path / "config.ign"
    config.write_bytes(ignition("by-coreos-installer"))
    embed = ("iso", "ignition", "embed", "-i", config, "-o", iso, built.artifact("live-iso"))
    said(installer, *embed)
    assert json.loads(said(installer, "iso", "ignition", "show", iso)) == json.loads(config.read_bytes())
    said(installer, "iso", "kargs", "modify", "--append", "an.argument=1", iso)
    kargs = said(installer, "iso", "kargs", "show", iso).split()
    assert kargs == [*shown(built)["kargs-default"].split(), "an.argument=1"]
    assert built.workspace.bootimg("iso", "ignition", "show", iso).stdout.rstrip(b"\n") == config.read_bytes()


def reported(built: Built, folder: Path, words: Sequence[str | Path]) -> dict[str, str]:
    """What the guest's unit reports; `bootimg run` ends when the guest turns itself off."""
    log, config = folder / "console.log", folder / "config.ign"
    config.write_bytes(ignition("in-the-live-system", SCRIPT))
    always: list[str | Path] = ["run", "--console", log, "--accel", "tcg", "--memory", "3G", "-i", config]
    built.workspace.bootimg(*always, *words, seconds=DEADLINE)
    text = log.read_text(errors="replace")
    return dict(re.findall(r"REPORT-42 (\w+)=(.*?)\r?$", text, re.MULTILINE))


def assert_live(found: dict[str, str]) -> None:
    assert (found["file"], found["failed"]) == ("in-the-live-system", "[]")
    assert (found["arch"], found["live"], found["root"]) == ("aarch64", "yes", "squashfs")


@pytest.mark.boot
@pytest.mark.matrix
def test_the_iso_boots_and_runs_the_embedded_config(built: Built, tmp_path: Path) -> None:
    found = reported(built, tmp_path, [built.artifact("live-iso")])
    assert_live(found)
    assert f"coreos.liveiso={shown(built)['volume-id']}" in found["cmdline"]


@pytest.mark.boot
@pytest.mark.matrix
def test_the_files_for_pxe_boot(built: Built, tmp_path: Path) -> None:
    """The rootfs image is appended to the initramfs, as servers without HTTP do it."""
    found = reported(built, tmp_path, ["--arch", "aarch64", "--pxe", built.path])
    assert_live(found)
    assert "coreos.liveiso" not in found["cmdline"]
