"""The full stand-in layer of aarch64: udev, dracut's initramfs and services run, unlike in the small one."""

from __future__ import annotations

from pathlib import Path

import pytest

from bootimg.arch import Arch
from tests.integration.arches.foreigndisks import build, check_two_boots
from tests.integration.arches.foreignlive import assert_live, build_live, reported, shown
from tests.integration.conftest import Built, Workspace
from tests.layer import Request, stand_in, why_not

pytestmark = pytest.mark.matrix

AARCH64 = Arch.AARCH64


@pytest.fixture(scope="module")
def full() -> Path:
    """The layer's archive."""
    if reason := why_not(Request(arch=AARCH64)):
        pytest.skip(reason)
    return stand_in(arch=AARCH64)


@pytest.fixture(scope="module")
def built(own: Workspace, full: Path) -> Built:
    """The image for QEMU."""
    return build(own, AARCH64, "qemu", layer=full)


def test_nothing_is_wrong_with_the_build(built: Built) -> None:
    built.workspace.bootimg("verify", built.path)


@pytest.mark.boot
def test_ignition_runs_once_and_the_root_grows(disk: Path, tmp_path: Path) -> None:
    check_two_boots(disk, tmp_path, AARCH64)


@pytest.mark.boot
def test_the_iso_boots_and_runs_the_embedded_config(full: Path, tmp_path: Path) -> None:
    built = build_live(tmp_path, AARCH64, full)
    found = reported(built, tmp_path, [built.artifact("live-iso")])
    assert_live(found, AARCH64)
    assert f"coreos.liveiso={shown(built)['volume-id']}" in found["cmdline"]
