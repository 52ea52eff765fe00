"""Live media of aarch64, made on whatever machine this is: an ISO that UEFI alone starts, files for PXE."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bootimg import process
from bootimg.arch import Arch
from tests.integration.arches.foreignlive import (
    assert_live,
    build_live,
    check_files,
    check_installer,
    reported,
    said,
    shown,
)
from tests.integration.conftest import Built

AARCH64 = Arch.AARCH64


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The small layer's live media."""
    return build_live(tmp_path_factory.mktemp("aarch64-live"), AARCH64)


def test_the_four_files_are_made_and_nothing_is_wrong_with_them(built: Built) -> None:
    check_files(built, AARCH64)


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
    check_installer(built, tmp_path)


@pytest.mark.boot
@pytest.mark.matrix
def test_the_iso_boots_and_runs_the_embedded_config(built: Built, tmp_path: Path) -> None:
    found = reported(built, tmp_path, [built.artifact("live-iso")])
    assert_live(found, AARCH64)
    assert f"coreos.liveiso={shown(built)['volume-id']}" in found["cmdline"]


@pytest.mark.boot
@pytest.mark.matrix
def test_the_files_for_pxe_boot(built: Built, tmp_path: Path) -> None:
    """The rootfs image is appended to the initramfs, as servers without HTTP do it."""
    found = reported(built, tmp_path, ["--arch", "aarch64", "--pxe", built.path])
    assert_live(found, AARCH64)
    assert "coreos.liveiso" not in found["cmdline"]
