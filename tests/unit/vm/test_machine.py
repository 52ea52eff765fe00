"""QEMU's command line for each architecture, firmware, and the things a run may ask for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bootimg import process
from bootimg.arch import Arch
from bootimg.arches.row import Firmware, UefiImage
from bootimg.errors import BootimgError, ExitCode
from bootimg.sizes import MIB
from bootimg.vm.accelerator import Accelerator
from bootimg.vm.diskimage import DiskImage, open_image
from bootimg.vm.drives import TargetDisk
from bootimg.vm.firmware import Flash, check_firmware, find_uefi
from bootimg.vm.imagetool import make_disk, make_overlay
from bootimg.vm.machine import Bind, DirectBoot, Machine

TCG, KVM = Accelerator("tcg", ""), Accelerator("kvm", "")


def words(
    arch: Arch = Arch.X86_64,
    accelerator: Accelerator = TCG,
    **options: Any,  # noqa: ANN401
) -> list[str]:
    options = {"disk": DiskImage(Path("/d/a,b.qcow2"), "qcow2"), "console": Path("/d/log"), **options}
    return Machine(arch=arch, accelerator=accelerator, **options).argv(Path("/usr/bin/qemu"))


def value(argv: list[str], option: str) -> str:
    return argv[argv.index(option) + 1]


def all_values(argv: list[str], option: str) -> list[str]:
    return [argv[at + 1] for at, word in enumerate(argv) if word == option]


def test_the_disk_is_never_written_unless_asked_and_commas_are_escaped() -> None:
    node = {"driver": "qcow2", "file": {"driver": "file", "filename": "/d/a,b.qcow2"}, "backing": None}
    escaped = json.dumps(node).replace(",", ",,")
    assert value(words(), "-drive") == f"if=none,id=disk,snapshot=on,file=json:{escaped}"
    assert json.loads(value(words(write=True), "-blockdev")) == {"node-name": "disk", **node}
    assert "-drive" not in words(write=True)


@pytest.mark.parametrize(
    ("arch", "machine", "cpu"),
    [
        (Arch.X86_64, "q35", "max,-erms,-fsrm"),
        (Arch.AARCH64, "virt", "max,pauth-impdef=on"),
        (Arch.PPC64LE, "pseries,cap-cfpc=broken,cap-sbbc=broken,cap-ibs=broken,cap-ccf-assist=off", "power9"),
        (Arch.S390X, "s390-ccw-virtio", "max"),
    ],
)
def test_machine_and_cpu_under_tcg(arch: Arch, machine: str, cpu: str) -> None:
    argv = words(arch)
    assert (value(argv, "-machine"), value(argv, "-cpu")) == (machine, cpu)
    assert value(argv, "-accel") == "tcg,thread=multi"


def test_kvm_passes_the_host_cpu_through_and_needs_no_workarounds() -> None:
    argv = words(Arch.PPC64LE, KVM)
    assert (value(argv, "-machine"), value(argv, "-cpu"), value(argv, "-accel")) == ("pseries", "host", "kvm")


@pytest.mark.parametrize("arch", [Arch.X86_64, Arch.AARCH64])
def test_ignition_by_fw_cfg(arch: Arch) -> None:
    assert (
        value(words(arch, ignition=Path("/c,.ign")), "-fw_cfg") == "name=opt/com.coreos/config,file=/c,,.ign"
    )


@pytest.mark.parametrize(("arch", "bus"), [(Arch.PPC64LE, "pci"), (Arch.S390X, "ccw")])
def test_ignition_by_block_device(arch: Arch, bus: str) -> None:
    argv = words(arch, ignition=Path("/c.ign"))
    assert "-fw_cfg" not in argv
    assert f"virtio-blk-{bus},serial=ignition,drive=ignition" in argv
    assert "if=none,id=ignition,format=raw,readonly=on,file=/c.ign" in argv


def test_more_of_qemu_s_options_come_last() -> None:
    more = ("-drive", "if=virtio,file=/config.iso")
    assert words(options=more) == [*words(), *more]


def test_flash_network_and_binds() -> None:
    argv = words(
        flash=Flash(Path("/code"), Path("/vars")),
        netdev="user,id=net",
        binds=[Bind("bind0", Path("/home/x"))],
    )
    drives = all_values(argv, "-drive")
    assert "if=pflash,unit=0,format=raw,readonly=on,file=/code" in drives
    assert "if=pflash,unit=1,format=raw,file=/vars" in drives
    assert value(argv, "-netdev") == "user,id=net"
    assert value(argv, "-virtfs").startswith("local,path=/home/x,mount_tag=bind0,")
    assert "readonly=on" in value(argv, "-virtfs")


def test_a_machine_that_is_told_nothing_reaches_nothing() -> None:
    assert value(words(), "-netdev") == "user,id=net,restrict=on"
    assert "virtio-net-pci,netdev=net" in words()
    assert not {"-netdev", "virtio-net-pci,netdev=net"} & set(words(netdev=None))


def test_console_on_the_terminal_or_in_a_log() -> None:
    assert value(words(console="stdio"), "-serial") == "mon:stdio"
    assert "logfile=/d/log" in value(words(), "-chardev")


ISO, TARGET = DiskImage(Path("/d/live,1.iso"), "raw"), DiskImage(Path("/d/target.qcow2"), "qcow2")


def test_a_cd_is_tried_after_the_disk_to_install_to() -> None:
    """So the installed system starts when the live system reboots."""
    argv = words(disk=None, cd=ISO, target=TargetDisk(TARGET, 4096))
    target, cd = map(json.loads, all_values(argv, "-blockdev"))
    assert (target["node-name"], target["file"]["filename"]) == ("target", "/d/target.qcow2")
    assert cd["read-only"] is True
    assert cd["file"] == {"driver": "file", "filename": "/d/live,1.iso"}
    sectors = "logical_block_size=4096,physical_block_size=4096"
    assert f"virtio-blk-pci,drive=target,serial=target,{sectors},bootindex=1" in argv
    assert "ide-cd,drive=cd,bootindex=2" in argv
    assert "-drive" not in argv


@pytest.mark.parametrize("arch", [Arch.AARCH64, Arch.PPC64LE])
def test_a_machine_without_ide_has_the_cd_behind_a_controller(arch: Arch) -> None:
    argv = words(arch=arch, disk=None, cd=ISO, flash=None)
    assert argv.index("virtio-scsi-pci") < argv.index("scsi-cd,drive=cd,bootindex=2")


def test_a_firmware_that_tries_one_device_is_given_the_cd() -> None:
    """The installer on s390x says itself that its disk is started next."""
    argv = words(arch=Arch.S390X, disk=None, cd=ISO, target=TargetDisk(TARGET), flash=None)
    assert argv.index("virtio-scsi-ccw") < argv.index("scsi-cd,drive=cd,bootindex=2")
    [target] = [word for word in argv if word.startswith("virtio-blk-ccw,drive=target")]
    assert target.endswith(",bootindex=3")


def test_a_kernel_without_a_boot_loader() -> None:
    argv = words(disk=None, direct=DirectBoot(Path("/l/kernel"), Path("/l/initrd"), ("a=1", "b")))
    found = [value(argv, option) for option in ("-kernel", "-initrd", "-append")]
    assert found == ["/l/kernel", "/l/initrd", "a=1 b"]
    assert not {"-drive", "-blockdev"} & set(argv)


def test_what_the_guest_writes_is_kept_where_it_may_write() -> None:
    image, live = DiskImage(Path("/d/a"), "raw"), {"cd": ISO, "target": TargetDisk(TARGET)}
    kept: list[dict[str, Any]] = [{"disk": image, "write": True}, live, {"disk": image}, {"cd": ISO}]
    machines = [Machine(arch=Arch.X86_64, accelerator=TCG, console="stdio", **each) for each in kept]
    assert [each.keeps_writes for each in machines] == [True, True, False, False]


@pytest.mark.parametrize("write", [False, True])
@pytest.mark.parametrize("disk_format", ["raw", "qcow2", "vmdk", "vpc", "vhdx"])
def test_qemu_takes_the_command_line(tmp_path: Path, disk_format: str, write: bool) -> None:
    """The real QEMU, which stops before the guest runs (-S) and is told to quit."""
    qemu = process.find("qemu-system-x86_64")
    if qemu is None:
        pytest.skip("qemu-system-x86_64 is not installed")
    disk, ignition = tmp_path / "d,isk", tmp_path / "c.ign"
    process.run(["qemu-img", "create", "-q", "-f", disk_format, disk, "8M"])
    ignition.write_text("{}")
    machine = Machine(
        arch=Arch.X86_64, accelerator=TCG, disk=open_image(disk), console="stdio", ignition=ignition,
        binds=[Bind("bind0", tmp_path)], memory_mib=256, write=write,
    )  # fmt: skip
    done = process.run([*machine.argv(qemu), "-S"], input=b"\x01cquit\n", timeout=60)
    assert done.stderr == b""


@pytest.mark.parametrize("sector_size", [512, 4096])
def test_qemu_takes_live_media(tmp_path: Path, sector_size: int) -> None:
    """A CD that this user may not write, with an overlay, and a target disk."""
    qemu = process.find("qemu-system-x86_64")
    if qemu is None:
        pytest.skip("qemu-system-x86_64 is not installed")
    iso = tmp_path / "live,1.iso"
    iso.write_bytes(bytes(MIB))
    iso.chmod(0o444)
    overlay = make_overlay(open_image(iso, "raw"), tmp_path / "overlay.qcow2")
    target = TargetDisk(make_disk(tmp_path / "target.qcow2", 8 * MIB), sector_size)
    machine = Machine(
        arch=Arch.X86_64, accelerator=TCG, cd=overlay, console="stdio", target=target, memory_mib=256
    )
    done = process.run([*machine.argv(qemu), "-S"], input=b"\x01cquit\n", timeout=120)
    assert done.stderr == b""


def test_firmware_of_each_architecture() -> None:
    assert check_firmware(Arch.X86_64, None) is Firmware.BIOS
    assert check_firmware(Arch.X86_64, Firmware.UEFI) is Firmware.UEFI
    assert check_firmware(Arch.AARCH64, None) is Firmware.UEFI
    with pytest.raises(BootimgError) as caught:
        check_firmware(Arch.S390X, Firmware.BIOS)
    assert (caught.value.id, caught.value.exit_code) == ("firmware-unsupported", ExitCode.USAGE)


def test_uefi_wants_both_images(tmp_path: Path) -> None:
    one = UefiImage(tmp_path / "a", tmp_path / "b")
    two = UefiImage(tmp_path / "c.qcow2", tmp_path / "d.qcow2")
    for path in (one.code, two.code, two.variables):
        path.touch()
    found = find_uefi(Arch.X86_64, [one, two])
    assert (found, found.format) == (two, "qcow2")
    two.variables.unlink()
    with pytest.raises(BootimgError) as caught:
        find_uefi(Arch.X86_64, [one, two])
    assert (caught.value.id, caught.value.exit_code) == ("uefi-firmware-missing", ExitCode.ENVIRONMENT)


@pytest.mark.parametrize("arch", [Arch.PPC64LE, Arch.S390X])
def test_no_uefi_is_looked_for_where_machines_have_none(arch: Arch, tmp_path: Path) -> None:
    """Not even if there are images: they would be another architecture's."""
    image = UefiImage(tmp_path / "code", tmp_path / "variables")
    image.code.touch()
    image.variables.touch()
    for images in (None, [image]):
        with pytest.raises(BootimgError) as caught:
            find_uefi(arch, images)
        assert (caught.value.id, caught.value.exit_code) == ("firmware-unsupported", ExitCode.USAGE)


def test_a_guest_without_kvm_has_one_cpu_unless_told_otherwise() -> None:
    assert Accelerator("tcg", "").cpus == 1
    assert 1 <= Accelerator("kvm", "").cpus <= 4
