"""The layer that has the real bootupd, built natively: bootupd runs once, for all versions of the layer.

That the disk is the appliance's is in test_oracle.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from bootimg.appliance import Appliance, Drive
from bootimg.arch import Arch
from bootimg.arches.row import Firmware
from bootimg.cache import Cache
from bootimg.disk.native.content import read_content
from bootimg.disk.native.products.bootupd import ByBootupd
from bootimg.disk.native.products.bootupddata import bootupd_as_data
from bootimg.disk.native.products.choice import maker_of
from bootimg.events import Events
from bootimg.orchestrator.basedisks.applianceimages import tool_tree_image
from bootimg.orchestrator.recipes.prepare import open_layer
from bootimg.orchestrator.recipes.recipes import make_recipes
from bootimg.orchestrator.request import Request
from bootimg.platform import platform
from bootimg.sysroot.entries import Entry
from bootimg.vm.accelerator import Accelerator
from tests.integration.boots.test_coreos import assert_well, layer_of, report
from tests.integration.conftest import Built, Workspace
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


def test_the_same_files_are_written_as_data_where_uefi_alone_starts_the_disk(
    workspace_: Workspace, tmp_path: Path
) -> None:
    """As for a layer of another architecture; x86_64's disk with large sectors has no GRUB for the BIOS."""
    layer = layer_of(Flavour.COREOS, Form.PLAIN)
    cache, tcg = Cache(workspace_.cache), Accelerator("tcg", "the tests' choice")
    request = Request(
        reference=str(layer),
        arch=Arch.X86_64,
        platforms=(platform("metal4k", Arch.X86_64),),
        builds=workspace_.builds,
    )
    opened = open_layer(request, cache, Events())
    recipe = make_recipes(request, opened, layer, "0" * 64)[4096]
    maker = maker_of(recipe, opened.tree, Arch.X86_64)
    assert isinstance(maker, ByBootupd)

    def start(drives: Sequence[Drive]) -> Appliance:
        tools = Drive("tools", tool_tree_image(opened.tree, cache, Events()), readonly=True)
        log = tmp_path / "appliance.log"
        return Appliance.start(
            [*drives, tools], tool_tree="tools", log=log, accelerator=tcg, cache=cache, events=Events()
        )

    by_program = maker.make(start, tmp_path)
    as_data = bootupd_as_data(recipe, maker.options, opened.tree, Arch.X86_64, tmp_path)
    assert whole(as_data.boot) == whole(by_program.boot)
    assert whole(as_data.esp) == whole(by_program.esp)
    assert as_data.code is by_program.code is None


def whole(entries: Sequence[Entry]) -> list[Entry]:
    """The entries with their content."""
    return [replace(each, content=read_content(each)) for each in entries]
