"""The layer that has the real bootupd, built natively: bootupd runs once, for all versions of the layer.

That the disk is the appliance's is in test_oracle.
"""

from __future__ import annotations

import json
import lzma
import shutil
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from bootimg.appliance import Appliance, Drive
from bootimg.arch import Arch
from bootimg.arches.row import Firmware
from bootimg.cache import Cache
from bootimg.disk.base import disk_gpt
from bootimg.disk.bootloaders.bios_grub import BOOT_FOLDER as GRUB_FOLDER
from bootimg.disk.bootloaders.bios_grub import MODULES, BiosImages, boot_code
from bootimg.disk.bootloaders.bootcode import BootCode, boot_partition
from bootimg.disk.bootloaders.elf32 import I386
from bootimg.disk.bootloaders.grubkernel import load_kernel
from bootimg.disk.bootloaders.grubmodules import is_boot_file
from bootimg.disk.bootloaders.i386pc import FILTER
from bootimg.disk.native.content import read_content
from bootimg.disk.native.products.bootupd import ByBootupd
from bootimg.disk.native.products.bootupddata import bootupd_as_data
from bootimg.disk.native.products.choice import maker_of
from bootimg.disk.native.products.products import Products
from bootimg.events import Events
from bootimg.layer.tree.merged import Tree
from bootimg.manifest.recipe import Recipe
from bootimg.orchestrator.basedisks.applianceimages import tool_tree_image
from bootimg.orchestrator.mainjob import run_build
from bootimg.orchestrator.recipes.prepare import open_layer
from bootimg.orchestrator.recipes.recipes import make_recipes
from bootimg.orchestrator.request import Request
from bootimg.platform import platform
from bootimg.sizes import MIB
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


@dataclass(frozen=True)
class Both:
    """What the layer's bootupd left on a disk, what is written as data, the layer's tree, and the recipe."""

    by_program: Products
    as_data: Products
    tools: Tree
    recipe: Recipe


def request_for(workspace: Workspace, name: str) -> Request:
    """For one platform of x86_64."""
    return Request(
        reference=str(layer_of(Flavour.COREOS, Form.PLAIN)),
        arch=Arch.X86_64,
        platforms=(platform(name, Arch.X86_64),),
        builds=workspace.builds,
        accelerator="tcg",
    )


def both(workspace: Workspace, name: str, folder: Path) -> Both:
    """For a disk of x86_64; as data it is as for a layer of another architecture."""
    request = request_for(workspace, name)
    cache, tcg = Cache(workspace.cache), Accelerator("tcg", "the tests' choice")
    opened = open_layer(request, cache, Events())
    recipes = make_recipes(request, opened, Path(request.reference), "0" * 64)
    recipe = recipes[request.platforms[0].sector_size]
    maker = maker_of(recipe, opened.tree, Arch.X86_64)
    assert isinstance(maker, ByBootupd)

    def start(drives: Sequence[Drive]) -> Appliance:
        tools = Drive("tools", tool_tree_image(opened.tree, cache, Events()), readonly=True)
        log = folder / "appliance.log"
        return Appliance.start(
            [*drives, tools], tool_tree="tools", log=log, accelerator=tcg, cache=cache, events=Events()
        )

    as_data = bootupd_as_data(recipe, maker.options, opened.tree, Arch.X86_64, folder)
    return Both(maker.make(start, folder), as_data, opened.tree, recipe)


def test_the_same_files_are_written_as_data_where_uefi_alone_starts_the_disk(
    workspace_: Workspace, tmp_path: Path
) -> None:
    """x86_64's disk with large sectors has no GRUB for the BIOS."""
    found = both(workspace_, "metal4k", tmp_path)
    assert whole(found.as_data.boot) == whole(found.by_program.boot)
    assert whole(found.as_data.esp) == whole(found.by_program.esp)
    assert found.as_data.code is found.by_program.code is None


@pytest.fixture(scope="module")
def for_the_bios(workspace_: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Both:
    return both(workspace_, "metal", tmp_path_factory.mktemp("bios"))


def test_bootupd_s_own_files_are_the_same_where_a_bios_starts_the_disk(for_the_bios: Both) -> None:
    """What grub2-install leaves besides is copies: of the layer's files, and of the boot code."""
    assert whole(for_the_bios.as_data.esp) == whole(for_the_bios.by_program.esp)
    theirs = {each.path.decode(): each for each in whole(for_the_bios.by_program.boot)}
    ours = {each.path.decode(): each for each in whole(for_the_bios.as_data.boot)}
    assert {path: theirs.get(path) for path in ours} == ours
    assert set(ours) == {"bootupd-state.json", "grub2", "grub2/grub.cfg", "grub2/grubenv"}
    modules, rest = GRUB_FOLDER + "/", set[str]()
    for path, entry in theirs.items():
        name = path.removeprefix(modules)
        if path.startswith(modules) and is_boot_file(name):
            assert entry.content == for_the_bios.tools.read(f"{MODULES}/{name}", 8 * MIB)
        elif path not in ours:
            rest.add(path)
    # What bootimg copies, and grub2-install does not.
    copied = {path.removeprefix(modules) for path in theirs if path.startswith(modules)}
    assert {name for name in for_the_bios.tools.listdir(MODULES) if is_boot_file(name)} - copied == {
        "fdt.lst"
    }
    # The other way round; docs/native.md names both.
    assert {path for path in rest if not path.startswith("grub2/locale")} == {
        GRUB_FOLDER, "grub2/fonts", "grub2/fonts/unicode.pf2",
        *(modules + name for name in ("boot.img", "core.img", "efiemu32.o", "efiemu64.o", "modinfo.sh")),
    }  # fmt: skip


def test_the_boot_code_has_the_same_sector_decompressor_and_kernel(for_the_bios: Both) -> None:
    """The core images differ in their modules and configuration, and in the codes behind grub2-install's."""
    theirs, images, tools = for_the_bios.by_program.code, for_the_bios.as_data.code, for_the_bios.tools
    assert isinstance(theirs, BootCode)
    assert isinstance(images, BiosImages)
    start, length = boot_partition(disk_gpt(for_the_bios.recipe.disk, ""))
    ours = boot_code(images.boot_image, images.core_image, start)
    # Between the BIOS parameter block and the partition table.
    assert ours.sector[0x5A:0x1B8] == theirs.sector[0x5A:0x1B8]
    # All but the number of sectors.
    assert ours.partition[:508] == theirs.partition[:508]
    assert ours.partition[510:512] == theirs.partition[510:512]
    size = len(tools.read(f"{MODULES}/lzma_decompress.img"))
    mine, other = ours.partition[512 : 512 + size], theirs.partition[512 : 512 + size]
    # All but three sizes.
    assert mine[:8] + mine[0x14:] == other[:8] + other[0x14:]
    kernel = load_kernel(tools.read(f"{MODULES}/kernel.img"), I386).image
    for code in (ours, theirs):
        packed, unpacked = struct.unpack_from("<II", code.partition, 512 + 8)
        data = code.partition[512 + size : 512 + size + packed]
        payload = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[dict(FILTER)]).decompress(data, unpacked)
        assert payload.startswith(kernel + b"mimg")
        assert b"(,gpt3)/grub2\0" in payload[-64:]
    # The number of bytes of Reed-Solomon codes.
    assert struct.unpack_from("<I", mine, 0x10) == (0,)
    assert struct.unpack_from("<I", other, 0x10) > (0,)
    assert len(theirs.partition) <= length


@pytest.mark.boot
def test_a_disk_with_bootupd_s_files_as_data_boots_by_the_bios(
    workspace_: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is made as on a machine of another architecture; the real bootupd on it finds all in order."""
    request = request_for(replace(workspace_, builds=tmp_path / "builds"), "qemu")
    with monkeypatch.context() as patch:
        patch.setattr(Arch, "of_machine", lambda: Arch.AARCH64)
        run_build(request, Cache(workspace_.cache), Events())
    [image] = request.builds.glob("latest/x86_64/*.qcow2")
    assert_well(report(image, tmp_path, Firmware.BIOS))


def whole(entries: Sequence[Entry]) -> list[Entry]:
    """The entries with their content."""
    return [replace(each, content=read_content(each)) for each in entries]
