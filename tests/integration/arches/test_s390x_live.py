"""Live media of s390x, made on whatever machine this is: its firmware starts them from a CD and by TFTP."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import pytest

from bootimg import process
from bootimg.arch import Arch
from bootimg.live.booting.arch import serial_console
from bootimg.live.booting.pxe import ARGUMENTS, write_initrd
from bootimg.live.bootways.cdboot import write_cdboot
from bootimg.live.embed.pxe import wrap_ignition
from bootimg.live.iso.bootrow import boot_row
from bootimg.live.iso.layout import Boot, lay_out
from bootimg.live.iso.tree import IsoFile
from bootimg.sysroot.entries import HostFile
from bootimg.vm.accelerator import Accelerator
from bootimg.vm.diskimage import open_image
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
from tests.support.live.liveiso import VOLUME, write

S390X = Arch.S390X
CDBOOT, KERNEL, INITRD = "/images/cdboot.img", "/images/pxeboot/vmlinuz", "/images/pxeboot/initrd.img"
MK_S390IMAGE = process.find("mk-s390image")
needs_xorriso = pytest.mark.skipif(process.find("xorriso") is None, reason="xorriso is not installed")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The small layer's live media."""
    return build_live(tmp_path_factory.mktemp("s390x-live"), S390X)


def extracted(iso: Path, folder: Path, *paths: str) -> list[Path]:
    """Files of an ISO, read by xorriso."""
    folder.mkdir()
    found = [folder / path.rpartition("/")[2] for path in paths]
    words = [word for path, to in zip(paths, found, strict=True) for word in ("-extract", path, str(to))]
    said("xorriso", "-osirrox", "on", "-indev", iso, *words)
    return found


def machine(console: Path, **changes: object) -> Machine:
    """A machine with a console in a file, which does not start a second time."""
    accelerator = Accelerator("tcg", "the tests' choice")
    made = {
        "arch": S390X,
        "accelerator": accelerator,
        "console": console,
        "memory_mib": 3072,
        "reboot": False,
    }
    return Machine(**{**made, **changes})  # type: ignore[arg-type]


def told(started: Machine) -> dict[str, str]:
    """What the guest's unit reports until the guest turns itself off."""
    with Guest(started) as guest:
        guest.wait_for(r"REPORT-42 end=end", DEADLINE)
        guest.wait_off(DEADLINE)
        return report(guest.console.text)


def test_the_four_files_are_made_and_nothing_is_wrong_with_them(built: Built) -> None:
    check_files(built, S390X)


def test_the_iso_says_whose_it_is_and_has_no_boot_menu(built: Built) -> None:
    found = shown(built)
    assert (found["arch"], found["boots-as-disk"], found["boot-script"]) == ("s390x", False, None)
    assert [area["length"] for area in found["kargs-areas"]] == [896]
    assert "console=" not in found["kargs-default"]
    assert f"coreos.liveiso={found['volume-id']}" in found["kargs-default"].split()


@needs_xorriso
def test_the_boot_catalogue_has_the_image_alone(built: Built) -> None:
    text = said("xorriso", "-indev", built.artifact("live-iso"), "-report_el_torito", "plain")
    images = [line for line in text.splitlines() if line.startswith("El Torito")]
    assert [line for line in images if "img path" in line] == [f"El Torito img path :   1  {CDBOOT}"]
    files = said("xorriso", "-indev", built.artifact("live-iso"), "-find", "/", "-type", "f")
    assert not any(name in files for name in ("isolinux", "EFI", "grub", "zipl.prm", "ignition.img"))
    assert all(
        f"'/{name}'" in files for name in ("generic.ins", "images/initrd.addrsize", "images/generic.prm")
    )


@needs_xorriso
@pytest.mark.skipif(MK_S390IMAGE is None, reason="mk-s390image of s390-tools is not installed")
def test_the_boot_image_is_the_one_of_mk_s390image(built: Built, tmp_path: Path) -> None:
    """With the initramfs enlarged as coreos-assembler does it."""
    paths = (CDBOOT, KERNEL, INITRD, "/images/cdboot.prm")
    cdboot, kernel, initrd, parameters = extracted(built.artifact("live-iso"), tmp_path / "iso", *paths)
    for path in (initrd, parameters):
        path.chmod(0o644)
    with initrd.open("r+b") as file:
        file.truncate(initrd.stat().st_size + 262144)
    # A line feed at the end would be lost by the first change of the arguments.
    parameters.write_bytes(parameters.read_bytes().rstrip(b"\n"))
    process.run([MK_S390IMAGE or "", kernel, tmp_path / "wanted", "-r", initrd, "-p", parameters])
    assert cdboot.read_bytes() == (tmp_path / "wanted").read_bytes()


def test_coreos_installer_reads_and_changes_it(built: Built, tmp_path: Path) -> None:
    check_installer(built, tmp_path)


@pytest.mark.boot
@pytest.mark.matrix
def test_the_firmware_boots_the_iso_and_the_embedded_config_runs(built: Built, tmp_path: Path) -> None:
    found = reported(built, tmp_path, [built.artifact("live-iso")])
    assert_live(found, S390X)
    words = found["cmdline"].split()
    assert f"coreos.liveiso={shown(built)['volume-id']}" in words
    assert words[-1] == serial_console(S390X)


@pytest.mark.boot
@pytest.mark.matrix
def test_the_files_for_pxe_boot(built: Built, tmp_path: Path) -> None:
    """The rootfs image is appended to the initramfs, as servers without HTTP do it."""
    found = reported(built, tmp_path, ["--arch", "s390x", "--pxe", built.path])
    assert_live(found, S390X)
    assert "coreos.liveiso" not in found["cmdline"]


@needs_xorriso
@pytest.mark.boot
@pytest.mark.matrix
def test_what_generic_ins_loads_boots(built: Built, tmp_path: Path) -> None:
    """What the hardware's console would load to memory is the boot image of a CD here, which is loaded to 0.

    The image is larger than a boot catalogue can say, as those of RHEL CoreOS are.  The config is appended to
    the initramfs, whose size is in initrd.addrsize.
    """
    iso = built.artifact("live-iso")
    paths = (KERNEL, INITRD, "/images/genericdvd.prm", "/images/initrd.addrsize", "/generic.ins")
    *files, listed = extracted(iso, tmp_path / "iso", *paths)
    loaded = dict(zip(paths, files, strict=False))
    write_initrd(tmp_path / "initrd", [loaded[INITRD], wrap_ignition(ignition("in-the-live-system", SCRIPT))])
    loaded[INITRD] = tmp_path / "initrd"
    places = dict(line.split() for line in listed.read_text().splitlines() if not line.startswith("*"))
    image = tmp_path / "memory"
    with image.open("wb") as memory:
        for path, file in loaded.items():
            memory.seek(int(places[path[1:]], 16))
            memory.write(file.read_bytes())
        memory.seek(int(places["images/initrd.addrsize"], 16) + 8)
        memory.write(struct.pack(">Q", (tmp_path / "initrd").stat().st_size))
    row, size = boot_row(S390X), image.stat().st_size
    assert size > 65535 * 512
    boot = Boot(catalogue=row.catalogue, images=row.images)
    content = IsoFile(path=row.images[0].path, size=size, content=HostFile(str(image)))
    started = write(lay_out([content], replace(VOLUME, id="MEMORY"), boot), tmp_path / "memory.iso").path
    live = ("-drive", f"if=none,id=live,format=raw,readonly=on,file={iso}", "-device", "scsi-cd,drive=live")
    found = told(machine(tmp_path / "console.log", cd=open_image(started, "raw"), options=live))
    assert_live(found, S390X)
    assert found["cmdline"].split() == shown(built)["kargs-default"].split()


@pytest.mark.boot
@pytest.mark.matrix
def test_the_firmware_boots_them_from_a_server(built: Built, tmp_path: Path) -> None:
    """By DHCP and TFTP, from one image as mk-s390image makes it of the files for PXE."""
    served = tmp_path / "tftp"
    served.mkdir()
    config = wrap_ignition(ignition("in-the-live-system", SCRIPT))
    parts: list[Path | bytes] = [built.artifact("live-initramfs"), built.artifact("live-rootfs"), config]
    write_initrd(tmp_path / "initrd", parts)
    arguments = " ".join([*ARGUMENTS, serial_console(S390X)])
    write_cdboot(served / "image", built.artifact("live-kernel"), tmp_path / "initrd", arguments)
    found = told(
        machine(
            tmp_path / "console.log",
            netdev=None,
            options=(
                "-netdev", f"user,id=boot,restrict=on,tftp={served},bootfile=image",
                "-device", "virtio-net-ccw,netdev=boot,bootindex=1",
            ),
        )
    )  # fmt: skip
    assert_live(found, S390X)
