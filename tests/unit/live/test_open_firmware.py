"""The ISO of ppc64le: what its firmware reads, GRUB's core image, and the areas that installers change."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from bootimg import process
from bootimg.arch import Arch
from bootimg.checks.livemedia.live import iso_findings
from bootimg.disk.bootloaders.elf32 import is_program
from bootimg.disk.bootloaders.prep_grub import prep_image
from bootimg.disk.extents import FileSource
from bootimg.errors import BootimgError
from bootimg.layer.tree.merged import Tree
from bootimg.live.booting.iso import BootableIso
from bootimg.live.bootways.openfirmware import (
    core_config,
    live_core,
    open_firmware_files,
    started_by,
)
from bootimg.live.embed.edit import edit_in_place, opened_iso
from bootimg.live.embed.ignition import embed_ignition, ignition_config
from bootimg.live.embed.kargs import append_kargs
from bootimg.live.iso.image import IsoImage
from bootimg.live.iso.layout import lay_out
from bootimg.live.iso.liveiso import LiveIso
from bootimg.live.iso.tree import IsoFile
from bootimg.live.miniso.extract import extract_minimal
from bootimg.live.reading.describe import describe_iso
from tests.support.arches import openfirmware
from tests.support.live.livefiles import initramfs, rootfs_image, whole_iso, written, written_whole
from tests.support.live.liveiso import DEFAULT, GRUB, VOLUME, kargs_info, part, write
from tests.unit.disk.test_prep_grub import by_grub, kernel_for_grub, needs_mkimage
from tests.unit.layer.test_declares import tree_of

CONFIG = b'{"ignition": {"version": "3.4.0"}}'
MENU = {"boot/grub/grub.cfg": GRUB}
SCRIPT = (
    b"<chrp-boot>\n"
    b"<description>rhcos-9.6.20261101-0</description>\n"
    b"<os-name>rhcos-9.6.20261101-0</os-name>\n"
    b"<boot-script>boot &device;:\\boot\\grub\\powerpc.elf</boot-script>\n"
    b"</chrp-boot>\n"
)
CORE = ("iso9660", "search", "search_label", "normal", "linux")
needs_isoinfo = pytest.mark.skipif(process.find("isoinfo") is None, reason="genisoimage is not installed")


def layer(folder: Path, **changed: bytes | None) -> Tree:
    return tree_of(folder, *openfirmware.files(**changed), bootloader=False)


def power_iso(tree: Tree) -> LiveIso:
    """An ISO of ppc64le that breaks no rule."""
    rootfs = rootfs_image()
    return whole_iso(
        arch=Arch.PPC64LE,
        volume=replace(VOLUME, system="PPC"),
        template=MENU,
        kargs_info=json.dumps(json.loads(kargs_info(MENU)), indent=2).encode(),
        syslinux={},
        efi_image=b"",
        rootfs=part(rootfs),
        initrd=part(initramfs(rootfs)),
        boot_files=[*open_firmware_files(tree, VOLUME)],
    )


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("iso")
    return written_whole(power_iso(layer(folder)), folder / "live.iso")


@pytest.fixture
def iso(good: Path, tmp_path: Path) -> Path:
    """A copy to change."""
    return Path(shutil.copyfile(good, tmp_path / "changed.iso"))


def files_of(tree: Tree) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for each in open_firmware_files(tree, VOLUME):
        assert isinstance(each.content, bytes)
        assert each.size == len(each.content)
        found[each.path] = each.content
    return found


def test_the_boot_script_names_the_core_image(tmp_path: Path) -> None:
    found = files_of(layer(tmp_path))
    assert found.pop("ppc/bootinfo.txt") == SCRIPT
    assert is_program(found.pop("boot/grub/powerpc.elf"))
    modules = {
        f"boot/grub/powerpc-ieee1275/{name}.mod": data for name, data in openfirmware.modules().items()
    }
    lists = {path for path in found if path.endswith(".lst")}
    assert {path: data for path, data in found.items() if path not in lists} == modules
    assert {path.rpartition("/")[2] for path in lists} == {"moddep.lst", "fs.lst"}


@needs_mkimage
def test_the_core_image_is_the_one_of_grub_mkimage(tmp_path: Path) -> None:
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "moddep.lst").touch()
    tree = layer(tmp_path, kernel_img=kernel_for_grub(folder))
    for name in tree.listdir(openfirmware.MODULES):
        (folder / name).write_bytes(tree.read(f"{openfirmware.MODULES}/{name}"))
    config = (
        b"search --no-floppy --label rhcos-9.6.20261101-0 --set=root --hint=$root\n"
        b"set prefix=($root)/boot/grub\n"
    )
    assert core_config(VOLUME.id).encode() == config
    assert live_core(tree, VOLUME.id) == by_grub(folder, config, "()/boot/grub", *CORE)
    assert live_core(tree, VOLUME.id) != prep_image(tree).image


@pytest.mark.parametrize(
    ("changed", "id"),
    [
        ({"iso9660_mod": None}, "bootloader-missing"),
        ({"kernel_img": None}, "bootloader-missing"),
        ({"moddep_lst": None}, "bootloader-missing"),
        ({"kernel_img": b"no kernel"}, "grub-image-invalid"),
    ],
)
def test_a_layer_without_a_part_of_grub_is_refused(
    changed: Mapping[str, bytes | None], id: str, tmp_path: Path
) -> None:
    with pytest.raises(BootimgError) as caught:
        live_core(layer(tmp_path, **changed), VOLUME.id)
    assert caught.value.id == id


def test_nothing_is_wrong_with_the_iso(good: Path) -> None:
    assert iso_findings(good) == []
    found = describe_iso(good)
    assert (found["arch"], found["boot"], found["boot-script"]) == ("ppc64le", [], "boot/grub/powerpc.elf")
    assert (found["boots-as-disk"], len(found["kargs-areas"])) == (False, 1)


@needs_isoinfo
def test_another_program_reads_it(good: Path) -> None:
    """By the names of 8 characters and 3, which the firmware uses, and by those that GRUB uses."""

    def isoinfo(*words: str) -> bytes:
        return subprocess.run(["isoinfo", "-i", good, *words], capture_output=True, check=True).stdout

    said = isoinfo("-d").decode()
    assert "System id: PPC\n" in said
    assert f"Volume id: {VOLUME.id}\n" in said
    assert "El Torito" not in said
    assert isoinfo("-x", "/PPC/BOOTINFO.TXT;1") == SCRIPT
    assert isoinfo("-x", "/BOOT/GRUB/GRUB.CFG;1") == GRUB
    assert is_program(isoinfo("-x", "/BOOT/GRUB/POWERPC.ELF;1"))
    listed = isoinfo("-R", "-f").decode().split()
    assert {"/boot/grub/powerpc-ieee1275/search_label.mod", "/images/ignition.img"} <= {*listed}
    assert not [path for path in listed if "EFI" in path or "isolinux" in path or "mach_kernel" in path]


def test_the_areas_are_found_and_changed(iso: Path) -> None:
    with opened_iso(iso) as found:
        assert (found.kargs, found.default_kargs) == (DEFAULT, DEFAULT)
        menu = found.image.find("boot/grub/grub.cfg")
        assert menu is not None
        assert [each.area.offset - menu.offset for each in found.kargs_places.places] == [  # type: ignore[union-attr]
            GRUB.index(DEFAULT.encode())
        ]
    edit_in_place(iso, lambda found: embed_ignition(found, CONFIG, force=False))
    edit_in_place(iso, lambda found: append_kargs(found, ["an.argument=1"]))
    with opened_iso(iso) as found:
        assert (ignition_config(found), found.kargs) == (CONFIG, f"{DEFAULT} an.argument=1")
        assert found.image.read(menu.offset, menu.length) == GRUB.replace(
            b"metal\n" + b"#" * 15, b"metal an.argument=1\n#"
        )


def test_the_minimal_iso_is_started_in_the_same_way(good: Path, tmp_path: Path) -> None:
    minimal = tmp_path / "minimal.iso"
    with opened_iso(good) as iso:
        extract_minimal(iso, minimal)
    with FileSource(good) as whole, FileSource(minimal) as small:
        images = [IsoImage(whole), IsoImage(small)]
        for path in ("ppc/bootinfo.txt", "boot/grub/powerpc.elf", "boot/grub/powerpc_/normal.mod"):
            first, second = (image.find(path) for image in images)
            assert first is not None
            assert first == second
        assert images[1].find("images/pxeboot/rootfs.img") is None


def test_a_run_takes_it_for_what_it_is(iso: Path) -> None:
    assert BootableIso.read(iso, Arch.X86_64).arch is Arch.PPC64LE


def small_iso(folder: Path, script: bytes) -> Path:
    files = [IsoFile.of("ppc/bootinfo.txt", script), IsoFile.of("boot/grub/powerpc.elf", b"\x7fELF")]
    return write(lay_out(files, VOLUME), folder / "x.iso").path


@pytest.mark.parametrize(
    ("script", "program"),
    [
        (SCRIPT, "boot/grub/powerpc.elf"),
        (b"<boot-script>boot &device;:1,\\boot\\yaboot.ibm</boot-script>", "boot/yaboot.ibm"),
        (b"<boot-script>boot &device;:,\\boot\\grub\\x.elf a=1 b</boot-script>", "boot/grub/x.elf"),
        (b"<boot-script>\nboot  &device;:\\x</boot-script>", "x"),
        (b"<boot-script>boot cd:\\x</boot-script>", None),
        (b"<boot-script>boot &device;:\\x", None),
        (b"<boot-script>boot &device;:\\" + b"x" * 201 + b"</boot-script>", None),
        (b" " * (64 << 10) + SCRIPT, None),
        (b"", None),
    ],
)
def test_what_a_boot_script_starts(script: bytes, program: str | None, tmp_path: Path) -> None:
    with FileSource(small_iso(tmp_path, script)) as source:
        assert started_by(IsoImage(source)) == program


def broken_iso(tree: Tree, changed: Mapping[str, bytes | None]) -> LiveIso:
    """With other content of some of the files, or without them."""
    found = {**files_of(tree), **changed}
    files = [IsoFile.of(path, data) for path, data in found.items() if data is not None]
    return replace(power_iso(tree), boot_files=files)


@pytest.mark.parametrize(
    ("changed", "where", "evidence"),
    [
        ({"ppc/bootinfo.txt": None}, "/ppc/bootinfo.txt", "none"),
        ({"ppc/bootinfo.txt": b"<chrp-boot>"}, "/ppc/bootinfo.txt", "no boot script"),
        ({"boot/grub/powerpc.elf": None}, "/ppc/bootinfo.txt", "it starts /boot/grub/powerpc.elf"),
        ({"boot/grub/powerpc.elf": b"#!/bin/sh\n" * 99}, "/boot/grub/powerpc.elf", "at "),
        ({"boot/grub/powerpc.elf": b""}, "/boot/grub/powerpc.elf", "at "),
    ],
)
def test_what_the_firmware_cannot_start_is_found(
    changed: Mapping[str, bytes | None], where: str, evidence: str, tmp_path: Path
) -> None:
    iso = written(broken_iso(layer(tmp_path), changed), tmp_path / "live.iso")
    found = [each.as_dict() for each in iso_findings(iso)]
    assert [(each["rule"], each["where"]) for each in found] == [("iso-boot", where)], json.dumps(found)
    assert str(found[0]["evidence"]).startswith(evidence)


def test_a_file_of_the_template_does_not_take_the_place_of_grub(tmp_path: Path) -> None:
    iso = replace(power_iso(layer(tmp_path)), template={**MENU, "ppc/bootinfo.txt": b"other"})
    with pytest.raises(BootimgError, match="iso-name-invalid"):
        iso.layout()


def test_the_volume_says_which_machines_it_is_for(good: Path) -> None:
    assert good.read_bytes()[16 * 2048 + 8 :][:32] == b"PPC".ljust(32)
