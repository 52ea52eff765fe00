"""The bootloaders: which a disk gets, and what each does behind the protocol."""

from __future__ import annotations

import inspect
import struct
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from bootimg.appliance import Appliance
from bootimg.arch import Arch
from bootimg.arches.row import BootloaderKind
from bootimg.disk.base import disk_gpt, refuse_unrealised
from bootimg.disk.bootloaders.bios_grub import BiosGrub, bios_images
from bootimg.disk.bootloaders.bootloader import Bootloader, Installation
from bootimg.disk.bootloaders.bootupd import LayerBootupd
from bootimg.disk.bootloaders.choice import (
    BOOTLOADERS,
    arch_unsupported,
    choose_bootloaders,
    disk_obstacle,
    install_bootloaders,
    require_bootloaders,
)
from bootimg.disk.bootloaders.efi_grub import EfiGrub
from bootimg.disk.bootloaders.grub import GrubConfig, grub_cfg
from bootimg.disk.bootloaders.prep_grub import PrepGrub
from bootimg.disk.extents import FileSource
from bootimg.disk.gpt import write_gpt
from bootimg.errors import BootimgError, ExitCode
from bootimg.layer.tree.merged import Tree
from bootimg.manifest.model import Manifest
from bootimg.manifest.reader import read_recipes
from bootimg.manifest.recipe import BiosTarget, Bootupd, Recipe
from bootimg.sizes import MIB
from tests.support.layers import oci
from tests.support.layers.manifests import rendered
from tests.unit.layer.test_declares import tree_of

GRUB, EFI = oci.GRUB_MODULES, oci.EFI_PAYLOAD
BOOTUPD = (
    "usr/bin/bootupctl", "usr/sbin/grub2-install",
    "usr/lib/bootupd/updates/BIOS.json", "usr/lib/bootupd/updates/EFI.json",
)  # fmt: skip
EVERY: tuple[Bootloader, ...] = (GrubConfig(), LayerBootupd(), *BOOTLOADERS.values())


class Recorder:
    """Takes an appliance's calls and notes them in their order."""

    log = Path("console.log")

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.files: dict[str, bytes] = {}

    def run(self, argv: list[str], *, timeout: float) -> bytes:
        self.calls.append(" ".join(argv))
        return b'{"installed": {"BIOS": {}, "EFI": {}}}'

    def put(self, path: str, data: bytes, mode: int = 0o644) -> None:
        self.calls.append(f"put {path}")
        self.files[path] = data

    def device(self, name: str, partition: int | None = None) -> str:
        return f"/dev/{name}{partition or ''}"


def layer(folder: Path, *, without: str = "", bootupd: bool = False) -> Tree:
    more = dict.fromkeys(BOOTUPD, b"") if bootupd else {}
    contents = {**oci.BOOTLOADER, f"{EFI}/BOOT/BOOTX64.EFI": b"", f"{EFI}/redhat/grubx64.efi": b"", **more}
    files = [oci.file(name, data) for name, data in contents.items() if not name.startswith(without or "-")]
    return tree_of(folder, *files, bootloader=False)


def recipe(arch: Arch = Arch.X86_64) -> Recipe:
    return read_recipes(Manifest.from_json(rendered(arch)))[512]


def installation(
    tools: Tree, *, arch: Arch = Arch.X86_64, **options: object
) -> tuple[Installation, Recorder]:
    found, recorder = recipe(arch), Recorder()
    assert found.bootloader is not None
    changed = replace(found.bootloader, **options)  # type: ignore[arg-type]
    vm = cast(Appliance, recorder)
    return Installation(vm=vm, recipe=found, options=changed, tools=tools), recorder


@pytest.mark.parametrize("bootloader", EVERY, ids=lambda each: type(each).__name__)
def test_each_keeps_to_the_protocol(bootloader: Bootloader) -> None:
    """mypy checks the types; this one that nothing is asked for that callers do not give."""
    for name, method in inspect.getmembers(Bootloader, inspect.isfunction):
        if not name.startswith("_"):
            wanted = [*inspect.signature(method).parameters]
            assert [*inspect.signature(getattr(type(bootloader), name)).parameters] == wanted
    arch, target = (Arch.PPC64LE, 1) if isinstance(bootloader, PrepGrub) else (Arch.X86_64, None)
    assert [*bootloader.unrealised(Bootupd(True, BiosTarget(target)), recipe(arch).disk)] == []


def test_the_rows_name_every_bootloader_and_each_is_there_or_refused() -> None:
    named = {kind for arch in Arch for kind in arch.row.bootloaders}
    assert named == set(BootloaderKind)
    assert named == set(BOOTLOADERS)
    assert {arch: disk_obstacle(arch) for arch in Arch} == dict.fromkeys(Arch)


def test_the_row_chooses(tmp_path: Path) -> None:
    tools = layer(tmp_path)
    assert kinds(choose_bootloaders(Arch.X86_64, tools)) == [GrubConfig, EfiGrub, BiosGrub]
    assert kinds(choose_bootloaders(Arch.AARCH64, tools)) == [GrubConfig, EfiGrub]
    assert kinds(choose_bootloaders(Arch.PPC64LE, tools)) == [GrubConfig, PrepGrub]


def test_the_layer_s_bootupd_comes_first(tmp_path: Path) -> None:
    assert kinds(choose_bootloaders(Arch.X86_64, layer(tmp_path, bootupd=True))) == [LayerBootupd]


def kinds(bootloaders: tuple[Bootloader, ...]) -> list[type]:
    return [type(each) for each in bootloaders]


def test_a_bootloader_that_is_not_there_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arch = Arch.S390X
    monkeypatch.setattr("bootimg.disk.bootloaders.choice.BOOTLOADERS", {BootloaderKind.EFI_GRUB: EfiGrub()})
    with pytest.raises(BootimgError) as caught:
        choose_bootloaders(arch, layer(tmp_path))
    error = caught.value
    assert (error.id, error.exit_code) == ("arch-build-unsupported", ExitCode.USAGE)
    assert error.context == ("bootimg cannot install the bootloader zipl",) == (disk_obstacle(arch),)
    assert (error.hint or "").startswith("build aarch64 on aarch64;")


def test_the_hint_names_what_can_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bootimg.disk.bootloaders.choice.disk_obstacle", lambda arch: None)
    assert "x86_64 on x86_64 or aarch64 on aarch64 or" in (arch_unsupported(Arch.S390X, "").hint or "")


def test_grub_is_installed_for_efi_and_bios_and_placed(tmp_path: Path) -> None:
    tools = layer(tmp_path)
    wanted, vm = installation(tools)
    placements = install_bootloaders(choose_bootloaders(Arch.X86_64, tools), wanted)
    assert vm.files["/sysroot/boot/grub2/grub.cfg"] == grub_cfg().encode()
    assert "/sysroot/boot/efi/EFI/redhat/grub.cfg" in vm.files
    assert "/sysroot/boot/efi/EFI/BOOT/grub.cfg" not in vm.files
    [copied] = [call for call in vm.calls if call.endswith(" /sysroot/boot/grub2/i386-pc") and "cp" in call]
    assert f" /{GRUB}/blscfg.mod " in copied
    assert f" /{GRUB}/moddep.lst " in copied
    assert "kernel.img" not in copied
    assert placements == [bios_images(tools)]
    core = bios_images(tools).core_image
    disk, gpt = tmp_path / "disk", disk_gpt(wanted.recipe.disk, "sha256:0")
    write_gpt(disk, gpt)
    placements[0].place(disk, gpt)
    with FileSource(disk) as source:
        assert struct.unpack_from("<Q", source.read(0, 512), 0x5C) == (2048,)
        assert source.read(MIB + 512, len(core) - 512) == core[512:]


def test_without_static_configs_no_configuration_is_written(tmp_path: Path) -> None:
    tools = layer(tmp_path)
    wanted, vm = installation(tools, static_configs=False, bios=None)
    assert install_bootloaders(choose_bootloaders(Arch.X86_64, tools), wanted) == []
    assert vm.files == {}
    assert f"cp -r /{EFI}/. /sysroot/boot/efi/EFI/" in vm.calls


@pytest.mark.parametrize(("without", "what"), [("usr/lib/efi", "EFI"), (GRUB, "BIOS")])
def test_a_layer_without_it_is_refused(without: str, what: str, tmp_path: Path) -> None:
    tools = layer(tmp_path, without=without)
    wanted, _ = installation(tools)
    with pytest.raises(BootimgError, match=what) as caught:
        install_bootloaders(choose_bootloaders(Arch.X86_64, tools), wanted)
    assert caught.value.id == "bootloader-missing"


@pytest.mark.parametrize(
    ("without", "bootupd", "what"),
    [
        ("usr/lib/efi", False, "EFI"),
        (GRUB, False, "BIOS"),
        ("usr/lib/efi", True, "EFI"),
        ("usr/sbin", True, "BIOS: /usr/sbin/grub2-install"),
        ("usr/lib/bootupd/updates/EFI.json", True, "EFI: /usr/lib/bootupd/updates/EFI.json"),
    ],
)
def test_what_a_layer_lacks_is_known_without_the_appliance(
    without: str, bootupd: bool, what: str, tmp_path: Path
) -> None:
    tools = layer(tmp_path, without=without, bootupd=bootupd)
    with pytest.raises(BootimgError, match=what) as caught:
        require_bootloaders(recipe(), Arch.X86_64, tools)
    assert (caught.value.id, caught.value.exit_code) == ("bootloader-missing", ExitCode.USAGE)
    require_bootloaders(replace(recipe(), bootloader=None), Arch.X86_64, tools)


@pytest.mark.parametrize("bootupd", [False, True])
def test_a_whole_layer_lacks_nothing(bootupd: bool, tmp_path: Path) -> None:
    require_bootloaders(recipe(), Arch.X86_64, layer(tmp_path, bootupd=bootupd))


def test_bootupd_is_told_the_device_and_leaves_nothing_to_place(tmp_path: Path) -> None:
    tools = layer(tmp_path, bootupd=True)
    wanted, vm = installation(tools)
    assert install_bootloaders(choose_bootloaders(Arch.X86_64, tools), wanted) == []
    assert vm.calls[0] == "bootupctl backend install --device=/dev/disk --with-static-configs /sysroot"


def test_what_grub_for_the_bios_cannot_do_is_refused_before_the_appliance_starts() -> None:
    own, found = (GrubConfig(), EfiGrub(), BiosGrub()), recipe()
    refuse_unrealised(found, own)
    loose = replace(found, bootloader=Bootupd(False, BiosTarget(None)))
    refuse_unrealised(loose, (LayerBootupd(),))
    alone = replace(found, disk=replace(found.disk, partitions=found.disk.partitions[1:]))
    aside = replace(found, bootloader=Bootupd(True, BiosTarget(1)))
    for bad, what in (
        (loose, "bios without static-configs"),
        (alone, "bios without a BIOS boot partition"),
        (aside, "bios.partition"),
    ):
        with pytest.raises(BootimgError) as caught:
            refuse_unrealised(bad, own)
        assert caught.value.id == "manifest-stage-unsupported"
        assert caught.value.context == (f"the recipe: org.osbuild.bootupd: {what}",)
