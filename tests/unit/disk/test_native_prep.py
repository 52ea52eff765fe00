"""A whole base disk of ppc64le, made without the appliance and without a program of the layer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bootimg.arch import Arch
from bootimg.cache import Cache
from bootimg.disk.base import BaseInputs, disk_gpt
from bootimg.disk.bootloaders.grub import grub_cfg
from bootimg.disk.bootloaders.prep_grub import prep_image
from bootimg.disk.ext4edit import Ext4Image
from bootimg.disk.extents import FileSource
from bootimg.disk.gpt import read_gpt
from bootimg.disk.layer_deploy import DeployWay
from bootimg.disk.native.base import Native, open_native, prepare_native
from bootimg.disk.native.products.choice import products_as_data
from bootimg.events import Events
from bootimg.layer.fetching.fetch import fetch
from bootimg.layer.importing.importer import import_layer
from bootimg.layer.tree.merged import open_tree
from bootimg.manifest.model import Manifest
from bootimg.manifest.reader import read_recipes
from bootimg.orchestrator.basedisk import seal_digest
from tests.support.arches import openfirmware
from tests.support.layers import oci
from tests.support.layers.manifests import of_every_platform
from tests.unit.disk.test_native_base import FILES, cut, require_native, written
from tests.unit.disk.test_prep_grub import BOOTUPD, METADATA

PPC64LE = Arch.PPC64LE
MEMBERS = [oci.file(name, data) for name, data in FILES.items() if "i386-pc" not in name]


def made_inputs(folder: Path, cache: Cache, *more: oci.Member, sector_size: int = 512) -> BaseInputs:
    layout = oci.Layout(folder / "image")
    layout.add(
        [oci.bootable(bootloader=False), oci.tar(*MEMBERS, *openfirmware.files(), *more)], arch="ppc64le"
    )
    image = fetch(str(layout.path), arch=PPC64LE, cache=cache, events=Events())
    tree = open_tree(image, cache, Events())
    commit = import_layer(
        image, tree, repo=cache.folder("repo"), cache=cache, events=Events(),
        imgref="ostree-unverified-registry:quay.io/example/os:latest",
    )  # fmt: skip
    recipe = read_recipes(Manifest.from_json(of_every_platform(PPC64LE)))[sector_size]
    absent = folder / "absent"
    return BaseInputs(recipe=recipe, image=image, tree=tree, commit=commit, tools=tree,
                      tool_tree=absent, source_image=absent, way=DeployWay.NATIVE)  # fmt: skip


def prepared(inputs: BaseInputs, cache: Cache) -> Native:
    made = products_as_data(inputs.recipe, inputs.tools, PPC64LE, cache.folder("tmp"))
    return prepare_native(inputs, open_native(inputs, cache.folder("repo")), made, cache)


@pytest.mark.parametrize("sector_size", [512, 4096])
@pytest.mark.parametrize("bootupd", [False, True])
def test_a_disk_has_the_core_image_and_the_modules(sector_size: int, bootupd: bool, tmp_path: Path) -> None:
    require_native()
    cache = Cache(tmp_path / "cache")
    inputs = made_inputs(tmp_path, cache, *(BOOTUPD if bootupd else ()), sector_size=sector_size)
    native = prepared(inputs, cache)
    disk, gpt = written(native, tmp_path / "out/disk"), disk_gpt(inputs.recipe.disk, inputs.image.digest)
    with FileSource(disk) as source:
        assert read_gpt(source) == gpt
        start, length = gpt.span(1)
        assert source.read(start, length) == prep_image(inputs.tools).image.ljust(length, b"\0")
    boot = Ext4Image(cut(disk, gpt.span(3), tmp_path / "boot"))
    boot.check_clean()
    modules = {f"{name}.mod" for name in openfirmware.modules()} | {"moddep.lst", "fs.lst"}
    assert boot.listing("/grub2/powerpc-ieee1275").keys() == modules
    config, state = boot.content("/grub2/grub.cfg") or b"", boot.content("/bootupd-state.json")
    if not bootupd:
        assert (config, state) == (grub_cfg().encode(), None)
        return
    assert b"### BEGIN 10_blscfg.cfg ###\nblscfg\n" in config
    assert json.loads(state or b"")["installed"]["BIOS"]["meta"]["version"] == json.loads(METADATA)["version"]
    assert seal_digest(written(prepared(inputs, cache), tmp_path / "again/disk")) == seal_digest(disk)
