"""The layer that has the real bootupd, built natively: bootupd runs once, for all versions of the layer.

That the disk is the appliance's is in test_oracle.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from bootimg.arches.row import Firmware
from tests.integration.conftest import Built, Workspace
from tests.integration.test_coreos import assert_well, layer_of, report
from tests.layer import Flavour, Form, stand_in

pytestmark = [pytest.mark.real, pytest.mark.matrix]

NEXT = "9.6.20261108-0"
ONCE = b"the appliance makes the bootloader once"


@dataclass(frozen=True)
class Run:
    """A build, and what was said meanwhile."""

    built: Built
    said: bytes


def build(layer: Path, workspace: Workspace, deploy: str) -> Run:
    done = workspace.bootimg("build", layer, "-p", "qemu", "--deploy", deploy, "--json")
    return Run(Built(workspace, json.loads(done.stdout)), done.stderr)


@pytest.fixture(scope="module")
def workspace_(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    root = tmp_path_factory.mktemp("bootupd")
    return Workspace(root / "cache", root / "builds")


@pytest.fixture(scope="module")
def first(workspace_: Workspace) -> Run:
    """The first native build of the layer."""
    return build(layer_of(Flavour.COREOS, Form.PLAIN), workspace_, "native")


def test_the_appliance_runs_for_the_bootloader_alone(first: Run) -> None:
    assert first.said.count(ONCE) == 1
    assert b"the appliance makes the base disk" not in first.said
    [kept] = (first.built.workspace.cache / "bootloaders").iterdir()
    assert kept.suffix == ".tar"


def test_another_version_of_the_layer_starts_no_appliance(first: Run, workspace_: Workspace) -> None:
    layer_of(Flavour.COREOS, Form.PLAIN)
    other = build(stand_in(Flavour.COREOS, Form.PLAIN, NEXT), workspace_, "native")
    assert b"appliance" not in other.said
    assert other.built.document["build"] == NEXT
    assert code(other.built)[:440] == code(first.built)[:440]
    assert code(other.built)[1 << 20 :] == code(first.built)[1 << 20 :]


def test_damaged_products_are_made_again(first: Run, workspace_: Workspace, tmp_path: Path) -> None:
    """The base disk is made again as well, and is the same."""
    cache = tmp_path / "cache"
    shutil.copytree(workspace_.cache, cache, symlinks=True)
    shutil.rmtree(cache / "bases")
    [kept] = (cache / "bootloaders").iterdir()
    with kept.open("r+b") as file:
        file.seek(10_000)
        file.write(b"damage")
    again = build(layer_of(Flavour.COREOS, Form.PLAIN), Workspace(cache, tmp_path / "builds"), "native")
    assert b"the kept bootloader was changed; it is made again" in again.said
    assert again.said.count(ONCE) == 1
    assert [each.name for each in (cache / "bootloaders").iterdir()] == [kept.name]
    assert seal(again.built) == seal(first.built)


def seal(built: Built) -> object:
    return json.loads(built.base.with_name("seal.json").read_bytes())["digest"]


def code(built: Built) -> bytes:
    """The partition table with the boot sector, and the BIOS boot partition."""
    with built.base.open("rb") as file:
        return file.read(2 << 20)


@pytest.mark.boot
@pytest.mark.parametrize("firmware", [Firmware.BIOS, Firmware.UEFI])
def test_it_boots_and_bootupd_finds_all_in_order(firmware: Firmware, first: Run, tmp_path: Path) -> None:
    assert_well(report(first.built.artifact("qemu"), tmp_path, firmware))
