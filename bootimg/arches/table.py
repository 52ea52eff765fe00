"""The table of the architectures.

It leaves out two kinds of facts.  The partitions come from the manifest of the architecture, and
`bootimg.checks.layouts` has them a second time, so that checks do not depend on what they check.  Console
arguments differ by platform and are in the platforms' plugins.
"""

from __future__ import annotations

from pathlib import Path

from bootimg.arches.row import (
    ArchNames,
    ArchRow,
    BootloaderKind,
    Firmware,
    Uefi,
    UefiImage,
    VirtualHardware,
)
from bootimg.hostpackages import Packages

# coreos-assembler counts 1 + 127 + 384 + 1 MiB everywhere, whatever the partitions are.
_BESIDE_ROOT = 513
# s390x keeps room for Secure Execution's partitions: 200 + 128 + 256 + 1 MiB.
_SECURE_EXECUTION = 585


def _uefi(folder: str, code: str, variables: str) -> UefiImage:
    return UefiImage(Path("/usr/share", folder, code), Path("/usr/share", folder, variables))


X86_64 = ArchRow(
    names=ArchNames(
        rpm="x86_64", oci="amd64", rust="x86_64", debian="amd64", qemu="x86_64", assisted="x86_64"
    ),
    hardware=VirtualHardware(
        packages=Packages(apt="qemu-system-x86", dnf="qemu-system-x86-core"),
        machine="q35",
        # Without the fast string instructions, which TCG runs a byte at a time, the kernel clears pages with
        # ordinary stores: the first boot is half a minute shorter.
        tcg_cpu="max,-erms,-fsrm",
        tcg_machine_options="",
        bus="pci",
        console="ttyS0",
        ignition="fw_cfg",
        cd=("ide-cd",),
    ),
    firmwares=(Firmware.BIOS, Firmware.UEFI),
    # Those of Debian, Fedora and RHEL (three), and Arch Linux.
    uefi=Uefi(
        name="x64",
        images=(
            _uefi("OVMF", "OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd"),
            _uefi("edk2/ovmf", "OVMF_CODE_4M.qcow2", "OVMF_VARS_4M.qcow2"),
            _uefi("edk2/ovmf", "OVMF_CODE.fd", "OVMF_VARS.fd"),
            _uefi("OVMF", "OVMF_CODE.fd", "OVMF_VARS.fd"),
            _uefi("edk2/x64", "OVMF_CODE.4m.fd", "OVMF_VARS.4m.fd"),
        ),
        packages=Packages(apt="ovmf", dnf="edk2-ovmf"),
    ),
    kernel_packages=Packages(apt="linux-image-amd64", dnf="kernel-core"),
    command_line_size=2048,
    beside_root_mib=_BESIDE_ROOT,
    bootloaders=(BootloaderKind.EFI_GRUB, BootloaderKind.BIOS_GRUB),
    obstacle=None,
)

AARCH64 = ArchRow(
    names=ArchNames(
        rpm="aarch64", oci="arm64", rust="aarch64", debian="arm64", qemu="aarch64", assisted="arm64"
    ),
    hardware=VirtualHardware(
        packages=Packages(apt="qemu-system-arm", dnf="qemu-system-aarch64-core"),
        machine="virt",
        tcg_cpu="max,pauth-impdef=on",
        tcg_machine_options="",
        bus="pci",
        console="ttyAMA0",
        ignition="fw_cfg",
        cd=("virtio-scsi-pci", "scsi-cd"),
    ),
    firmwares=(Firmware.UEFI,),
    # Those of Debian, and of Fedora and RHEL.
    uefi=Uefi(
        name="aa64",
        images=(
            _uefi("AAVMF", "AAVMF_CODE.fd", "AAVMF_VARS.fd"),
            _uefi("edk2/aarch64", "QEMU_EFI-silent-pflash.raw", "vars-template-pflash.raw"),
        ),
        packages=Packages(apt="qemu-efi-aarch64", dnf="edk2-aarch64"),
    ),
    kernel_packages=Packages(apt="linux-image-arm64", dnf="kernel-core"),
    command_line_size=2048,
    beside_root_mib=_BESIDE_ROOT,
    bootloaders=(BootloaderKind.EFI_GRUB,),
    obstacle=None,
)

PPC64LE = ArchRow(
    names=ArchNames(
        rpm="ppc64le", oci="ppc64le", rust="powerpc64", debian="ppc64el", qemu="ppc64", assisted="ppc64le"
    ),
    hardware=VirtualHardware(
        packages=Packages(apt="qemu-system-ppc", dnf="qemu-system-ppc-core"),
        machine="pseries",
        tcg_cpu="power9",
        # What TCG cannot mitigate and the machine otherwise demands.
        tcg_machine_options=",cap-cfpc=broken,cap-sbbc=broken,cap-ibs=broken,cap-ccf-assist=off",
        bus="pci",
        console="hvc0",
        ignition="block",
        cd=("virtio-scsi-pci", "scsi-cd"),
    ),
    firmwares=(Firmware.NATIVE,),
    uefi=None,
    kernel_packages=Packages(apt="linux-image-powerpc64le", dnf="kernel-core"),
    command_line_size=2048,
    beside_root_mib=_BESIDE_ROOT,
    bootloaders=(BootloaderKind.PREP_GRUB,),
    obstacle=None,
)

S390X = ArchRow(
    names=ArchNames(rpm="s390x", oci="s390x", rust="s390x", debian="s390x", qemu="s390x", assisted="s390x"),
    hardware=VirtualHardware(
        packages=Packages(apt="qemu-system-misc", dnf="qemu-system-s390x-core"),
        machine="s390-ccw-virtio",
        tcg_cpu="max",
        tcg_machine_options="",
        bus="ccw",
        console="ttysclp0",
        ignition="block",
        cd=("virtio-scsi-ccw", "scsi-cd"),
        cd_first=True,
    ),
    firmwares=(Firmware.NATIVE,),
    uefi=None,
    kernel_packages=Packages(apt="linux-image-s390x", dnf="kernel-core"),
    command_line_size=4096,
    beside_root_mib=_BESIDE_ROOT + _SECURE_EXECUTION,
    bootloaders=(BootloaderKind.ZIPL,),
    obstacle=None,
)

ROWS = {row.names.rpm: row for row in (X86_64, AARCH64, PPC64LE, S390X)}
"""By the RPM name, which is the value of `bootimg.arch.Arch`."""
