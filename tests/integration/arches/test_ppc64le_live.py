"""Live media of ppc64le, made on whatever machine this is: its firmware starts them from a CD and by TFTP."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from bootimg import process
from bootimg.arch import Arch
from bootimg.cache import Cache
from bootimg.disk.bootloaders.openfirmware import MODULES, open_firmware_core
from bootimg.events import Events
from bootimg.layer.fetching.fetch import fetch
from bootimg.layer.tree.merged import Tree, open_tree
from bootimg.live.booting.arch import serial_console
from bootimg.live.booting.pxe import ARGUMENTS, write_initrd
from bootimg.live.bootways.openfirmware import core_config
from bootimg.live.embed.pxe import wrap_ignition
from bootimg.vm.accelerator import Accelerator
from bootimg.vm.guest import Guest
from bootimg.vm.machine import Machine
from tests.integration.arches.foreignlive import (
    SCRIPT,
    assert_live,
    build_live,
    check_files,
    check_installer,
    report,
    reported,
    said,
    shown,
)
from tests.integration.boots.test_boot import DEADLINE, ignition
from tests.integration.conftest import Built
from tests.layer.small import small_layer

PPC64LE = Arch.PPC64LE
CORE = ("iso9660", "search", "search_label", "normal", "linux")
needs_xorriso = pytest.mark.skipif(process.find("xorriso") is None, reason="xorriso is not installed")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The small layer's live media."""
    return build_live(tmp_path_factory.mktemp("ppc64le-live"), PPC64LE)


def layer_tree(built: Built) -> Tree:
    cache = Cache(built.workspace.cache)
    image = fetch(str(small_layer(PPC64LE)), arch=PPC64LE, cache=cache, events=Events())
    return open_tree(image, cache, Events())


def extracted(iso: Path, folder: Path, paths: Mapping[str, str]) -> None:
    """Files of an ISO, read by xorriso."""
    words = [word for inside, name in paths.items() for word in ("-extract", inside, str(folder / name))]
    said("xorriso", "-osirrox", "on", "-indev", iso, *words)


def test_the_four_files_are_made_and_nothing_is_wrong_with_them(built: Built) -> None:
    check_files(built, PPC64LE)


def test_the_iso_says_whose_it_is_and_what_starts_it(built: Built) -> None:
    found = shown(built)
    assert (found["arch"], found["boot"], found["boot-script"]) == ("ppc64le", [], "boot/grub/powerpc.elf")
    assert len(found["kargs-areas"]) == 1
    assert f"coreos.liveiso={found['volume-id']}" in found["kargs-default"].split()


@needs_xorriso
def test_the_core_image_is_the_one_of_grub_mkimage(built: Built, tmp_path: Path) -> None:
    """Of the layer's own modules, which are on the ISO; xorriso reads them there."""
    iso, volume = built.artifact("live-iso"), shown(built)["volume-id"]
    extracted(iso, tmp_path, {"/boot/grub/powerpc.elf": "core", "/boot/grub/powerpc-ieee1275": "modules"})
    folder = tmp_path / "modules"
    folder.chmod(0o755)
    (folder / "kernel.img").write_bytes(layer_tree(built).read(f"{MODULES}/kernel.img"))
    (tmp_path / "early.cfg").write_text(core_config(volume))
    program = process.find("grub2-mkimage") or process.require("grub-mkimage", packages="grub-common")
    process.run(
        [
            program, "-O", "powerpc-ieee1275", "-d", folder, "-p", "()/boot/grub",
            "-c", tmp_path / "early.cfg", "-o", tmp_path / "wanted", *CORE,
        ]
    )  # fmt: skip
    assert (tmp_path / "core").read_bytes() == (tmp_path / "wanted").read_bytes()


def test_coreos_installer_reads_and_changes_it(built: Built, tmp_path: Path) -> None:
    check_installer(built, tmp_path)


@pytest.mark.boot
@pytest.mark.matrix
def test_the_iso_boots_and_runs_the_embedded_config(built: Built, tmp_path: Path) -> None:
    found = reported(built, tmp_path, [built.artifact("live-iso")])
    assert_live(found, PPC64LE)
    assert f"coreos.liveiso={shown(built)['volume-id']}" in found["cmdline"]


@pytest.mark.boot
@pytest.mark.matrix
def test_the_files_for_pxe_boot(built: Built, tmp_path: Path) -> None:
    """The rootfs image is appended to the initramfs, as servers without HTTP do it."""
    found = reported(built, tmp_path, ["--arch", "ppc64le", "--pxe", built.path])
    assert_live(found, PPC64LE)
    assert "coreos.liveiso" not in found["cmdline"]


@pytest.mark.boot
@pytest.mark.matrix
def test_the_firmware_boots_them_from_a_server(built: Built, tmp_path: Path) -> None:
    """By DHCP and TFTP, with a core image of GRUB as grub-mknetdir lays it out."""
    served = tmp_path / "tftp"
    served.mkdir()
    names = {"vmlinuz": "live-kernel", "initramfs": "live-initramfs", "rootfs": "live-rootfs"}
    paths = {name: built.artifact(key) for name, key in names.items()}
    shutil.copyfile(paths["vmlinuz"], served / "vmlinuz")
    config = wrap_ignition(ignition("in-the-live-system", SCRIPT))
    write_initrd(served / "initrd", [paths["initramfs"], paths["rootfs"], config])
    arguments = " ".join([*ARGUMENTS, serial_console(PPC64LE)])
    menu = f"linux (tftp)/vmlinuz {arguments}\ninitrd (tftp)/initrd\nboot\n"
    modules = ("ofnet", "tftp", "normal", "linux", "boot")
    core = open_firmware_core(layer_tree(built), lambda _: modules, config=menu, prefix="/")
    (served / "core.elf").write_bytes(core)
    machine = Machine(
        arch=PPC64LE,
        accelerator=Accelerator("tcg", "the tests' choice"),
        console=tmp_path / "console.log",
        memory_mib=3072,
        netdev=f"user,id=net,restrict=on,tftp={served},bootfile=core.elf",
        reboot=False,
    )
    with Guest(machine) as guest:
        guest.wait_for(r"REPORT-42 end=end", DEADLINE)
        guest.wait_off(DEADLINE)
        found = report(guest.console.text)
    assert_live(found, PPC64LE)
