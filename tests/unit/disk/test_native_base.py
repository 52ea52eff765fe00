"""A whole base disk of a small layer, made without the appliance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bootimg import process
from bootimg.arch import Arch
from bootimg.cache import Cache
from bootimg.disk.base import BaseInputs, disk_gpt
from bootimg.disk.bootloaders.bios_grub import bios_images, boot_code
from bootimg.disk.bootloaders.bootcode import BootCode
from bootimg.disk.ext4edit import Ext4Image
from bootimg.disk.extents import FileSource
from bootimg.disk.gpt import read_gpt
from bootimg.disk.layer_deploy import DeployWay
from bootimg.disk.native import NATIVE_PROGRAMS
from bootimg.disk.native.base import Native, open_native, prepare_native, write_native
from bootimg.disk.native.products.products import Products
from bootimg.disk.xfs.sparse import copy_data
from bootimg.errors import BootimgError
from bootimg.events import Event, Events, Message, StepProgress, StepStarted
from bootimg.layer.fetching.fetch import fetch
from bootimg.layer.importing.importer import import_layer
from bootimg.layer.ostree.libostree import interpreter
from bootimg.layer.tree.merged import open_tree
from bootimg.manifest.model import Manifest
from bootimg.manifest.reader import read_recipes
from bootimg.orchestrator.basedisk import seal_digest
from bootimg.orchestrator.basedisks.nativedisks import native_disks
from bootimg.orchestrator.work import Work
from bootimg.sysroot.entries import directory, text
from bootimg.sysroot.unsupported import NativeUnsupportedError
from tests.support.layers import oci
from tests.support.layers.manifests import packed

OSTREE = b"\x7fELF\0002025.2\0libcurl gpgme systemd\0"
FILES = {
    "usr/bin/ostree": OSTREE,
    "etc/hostname": b"stand-in\n",
    "usr/lib/os-release": b"ID=e\nVERSION_ID=1\n",
}
CODE = BootCode(bytes(510) + b"\x55\xaa", b"\x52" * 1000)
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


def prepared(inputs: BaseInputs, cache: Cache, made: Products | None = None) -> Native:
    return prepare_native(inputs, open_native(inputs, cache.folder("repo")), made, cache)


def written(native: Native, path: Path) -> Path:
    path.parent.mkdir()
    write_native(native, path, Events())
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
            start, length = gpt.span(1)
            file.seek(start)
            images = bios_images(inputs.tools)
            code = boot_code(images.boot_image, images.core_image, start)
            assert file.read(length) == code.partition.ljust(length, b"\0")


def cut(disk: Path, span: tuple[int, int], path: Path) -> Path:
    with disk.open("rb") as source, path.open("wb") as target:
        target.truncate(span[1])
        copy_data(source.fileno(), target.fileno(), span, -span[0])
    return path


def test_the_same_inputs_give_the_same_disk(make: Make, cache: Cache, tmp_path: Path) -> None:
    native = prepared(make(), cache)
    first, other = (written(native, tmp_path / name / "disk") for name in ("one", "two"))
    assert seal_digest(first) == seal_digest(other)


def test_what_bootupd_left_is_on_the_disk(make: Make, cache: Cache, tmp_path: Path) -> None:
    made = Products(
        boot=[directory("grub2", 0o700, 0), text("grub2/grub.cfg", b"blscfg", 0, 0o600),
              text("bootupd-state.json", b"{}", 0)],
        esp=[directory("EFI", 0o755, 0), text("EFI/own.efi", b"MZ3", 0)],
        code=CODE,
    )  # fmt: skip
    native = prepared(make(oci.file("usr/bin/bootupctl")), cache, made)
    now = native.recipe.source_epoch * 10**9
    assert {each.mtime for each in (*native.bootloader.boot, *native.bootloader.esp)} == {now}
    disk = written(native, tmp_path / "out/disk")
    boot = Ext4Image(cut(disk, native.gpt.span(3), tmp_path / "boot"))
    assert boot.content("/bootupd-state.json") == b"{}"
    # Of our own rows of bootloaders nothing is there.
    assert set(boot.listing("/grub2")) == {"grub.cfg"}
    config = boot.inode("/grub2/grub.cfg")
    assert config is not None
    assert config.mode == 0o100600
    assert boot.label("/grub2/grub.cfg") == boot.label("/bootupd-state.json")
    esp = cut(disk, native.gpt.span(2), tmp_path / "esp")
    assert process.run(["mdir", "-b", "-/", "-i", esp, "::/"]).stdout.split() == [
        b"::/EFI/",
        b"::/EFI/own.efi",
    ]


def unsupported(inputs: BaseInputs) -> BaseInputs:
    return replace(inputs, recipe=replace(inputs.recipe, sysroot=None))


def test_progress_is_in_bytes_and_comes_to_the_total(make: Make, cache: Cache, tmp_path: Path) -> None:
    seen: list[Event] = []
    # Large enough for several calls of the kernel, and twice in the tree but once on the disk.
    large = oci.file("usr/share/large", bytes(40 << 20))
    native = prepared(make(large, oci.file("usr/share/same", bytes(40 << 20))), cache)

    def note(event: Event) -> None:
        seen.append(event)

    write_native(native, tmp_path / "disk", Events([note]))
    [total] = [each.total for each in seen if isinstance(each, StepStarted) and each.step == "filesystems"]
    assert total is not None
    assert 40 << 20 < total < 41 << 20
    done = [each.done for each in seen if isinstance(each, StepProgress) and each.step == "filesystems"]
    assert done == sorted(done)
    assert done[-1] == total


def test_what_the_native_way_cannot_do_is_said_before_anything_is_written(make: Make, cache: Cache) -> None:
    with pytest.raises(NativeUnsupportedError, match="bootc"):
        prepared(unsupported(make()), cache)


def test_the_appliance_gets_those_disks_and_a_message_says_why(
    make: Make, cache: Cache, tmp_path: Path
) -> None:
    said: list[Event] = []

    def note(event: Event) -> None:
        said.append(event)

    work: Any = SimpleNamespace(cache=cache, events=Events([note]))
    assert native_disks(cast(Work, work), {"key": unsupported(make())}, tmp_path) == {}
    messages = [each.text for each in said if isinstance(each, Message)]
    assert messages == ["the appliance makes the base disk: bootc installs the layer by itself"]
