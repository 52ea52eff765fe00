"""A whole base disk of a small layer, made without the appliance."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bootimg import process
from bootimg.arch import Arch
from bootimg.cache import Cache
from bootimg.disk.base import BaseInputs, disk_gpt
from bootimg.disk.bootloaders.bios_grub import BiosImages
from bootimg.disk.ext4edit import Ext4Image
from bootimg.disk.extents import FileSource
from bootimg.disk.gpt import read_gpt
from bootimg.disk.layer_deploy import DeployWay
from bootimg.disk.native import NATIVE_PROGRAMS
from bootimg.disk.native.base import Native, prepare_native, write_native
from bootimg.disk.xfs.sparse import copy_data
from bootimg.errors import BootimgError
from bootimg.events import Event, Events, Message
from bootimg.layer.fetching.fetch import fetch
from bootimg.layer.importing.importer import import_layer
from bootimg.layer.ostree.libostree import interpreter
from bootimg.layer.tree.merged import open_tree
from bootimg.manifest.model import Manifest
from bootimg.manifest.reader import read_recipes
from bootimg.orchestrator.basedisk import seal_digest
from bootimg.orchestrator.basedisks.nativedisks import native_disks
from bootimg.orchestrator.work import Work
from bootimg.sysroot.unsupported import NativeUnsupportedError
from tests.support import oci
from tests.support.manifests import packed
from tests.unit.disk.test_bootloaders import BOOT_IMAGE, CORE, EFI, GRUB

OSTREE = b"\x7fELF\0002025.2\0libcurl gpgme systemd\0"
FILES = {
    "usr/bin/ostree": OSTREE,
    "usr/bin/grub2-mkimage": b"program",
    f"{GRUB}/boot.img": BOOT_IMAGE,
    f"{GRUB}/blscfg.mod": b"module",
    f"{GRUB}/kernel.img": b"kernel",
    f"{EFI}/BOOT/BOOTX64.EFI": b"MZ1",
    f"{EFI}/redhat/grubx64.efi": b"MZ2",
    "etc/hostname": b"stand-in\n",
    "usr/lib/os-release": b"ID=e\nVERSION_ID=1\n",
}
BIOS = BiosImages(BOOT_IMAGE, CORE)
Make = Callable[..., BaseInputs]


def require_native() -> None:
    """Skip where the programs of the native way are missing."""
    try:
        interpreter()
        for program, package in NATIVE_PROGRAMS.items():
            process.require(program, packages=package)
    except BootimgError as error:
        pytest.skip(error.message)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


@pytest.fixture
def make(tmp_path: Path, cache: Cache) -> Make:
    """The inputs of a disk of an imported layer, with more files and a sector size."""
    require_native()

    def inputs(*more: oci.Member, sector_size: int = 512) -> BaseInputs:
        layout = oci.Layout(tmp_path / "image")
        files = [oci.file(name, data) for name, data in FILES.items()]
        layout.add([oci.bootable(), oci.tar(*files, *more)])
        image = fetch(str(layout.path), arch=Arch.X86_64, cache=cache, events=Events())
        tree = open_tree(image, cache, Events())
        commit = import_layer(
            image, tree, repo=cache.folder("repo"), cache=cache, events=Events(),
            imgref="ostree-unverified-registry:quay.io/example/os:latest",
        )  # fmt: skip
        recipe = read_recipes(Manifest.from_json(packed()))[sector_size]
        absent = tmp_path / "absent"
        return BaseInputs(recipe=recipe, image=image, tree=tree, commit=commit, tools=tree,
                          tool_tree=absent, source_image=absent, way=DeployWay.NATIVE)  # fmt: skip

    return inputs


def prepared(inputs: BaseInputs, cache: Cache) -> Native:
    return prepare_native(inputs, cache.folder("repo"), cache)


def written(native: Native, path: Path) -> Path:
    path.parent.mkdir()
    write_native(native, path, BIOS if native.has_bios else None, Events())
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    return path


@pytest.mark.parametrize("sector_size", [512, 4096])
def test_a_disk_has_every_file_system(sector_size: int, make: Make, cache: Cache, tmp_path: Path) -> None:
    inputs = make(sector_size=sector_size)
    disk = written(prepared(inputs, cache), tmp_path / "out/disk")
    gpt = disk_gpt(inputs.recipe.disk, inputs.image.digest)
    with FileSource(disk) as source:
        assert read_gpt(source) == gpt
    boot = Ext4Image(cut(disk, gpt.span(3), tmp_path / "boot"))
    boot.check_clean()
    assert b"ostree=/ostree/boot.1/rhcos/" in (boot.content("/loader/entries/ostree-1.conf") or b"")
    assert ("i386-pc" in boot.listing("/grub2")) is (sector_size == 512)
    esp = cut(disk, gpt.span(2), tmp_path / "esp")
    assert process.run(["mtype", "-i", esp, "::/EFI/redhat/grubx64.efi"]).stdout == b"MZ2"
    process.run(["xfs_repair", "-n", "-f", cut(disk, gpt.span(4), tmp_path / "root")])
    if sector_size == 512:
        with disk.open("rb") as file:
            file.seek(gpt.span(1)[0])
            # Before the list of blocks, which placing fills in.
            assert file.read(400) == CORE[:400]


def cut(disk: Path, span: tuple[int, int], path: Path) -> Path:
    with disk.open("rb") as source, path.open("wb") as target:
        target.truncate(span[1])
        copy_data(source.fileno(), target.fileno(), span, -span[0])
    return path


def test_the_same_inputs_give_the_same_disk(make: Make, cache: Cache, tmp_path: Path) -> None:
    native = prepared(make(), cache)
    first, other = (written(native, tmp_path / name / "disk") for name in ("one", "two"))
    assert seal_digest(first) == seal_digest(other)


def test_what_the_native_way_cannot_do_is_said_before_anything_is_written(make: Make, cache: Cache) -> None:
    with pytest.raises(NativeUnsupportedError, match="bootupd"):
        prepared(make(oci.file("usr/bin/bootupctl")), cache)


def test_the_appliance_gets_those_disks_and_a_message_says_why(
    make: Make, cache: Cache, tmp_path: Path
) -> None:
    said: list[Event] = []

    def note(event: Event) -> None:
        said.append(event)

    work: Any = SimpleNamespace(cache=cache, events=Events([note]))
    inputs = make(oci.file("usr/bin/bootupctl"))
    assert native_disks(cast(Work, work), {"key": inputs}, tmp_path) == {}
    messages = [each.text for each in said if isinstance(each, Message)]
    assert messages == [
        "the appliance makes the base disk: "
        "the layer's bootupd installs the bootloader, and it needs devices and mounts"
    ]
