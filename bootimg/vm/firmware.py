"""Firmware: which kinds a machine has, and where the distributions keep UEFI's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from bootimg.arch import Arch
from bootimg.errors import BootimgError, ExitCode
from bootimg.vm.packages import Packages


class Firmware(StrEnum):
    """What a machine starts with; NATIVE is the one that ppc64le (SLOF) and s390x have."""

    BIOS = "bios"
    UEFI = "uefi"
    NATIVE = "native"


@dataclass(frozen=True, slots=True)
class UefiImage:
    """A pair of flash images: the code (shared, read-only) and the template of the variables."""

    code: Path
    variables: Path

    @property
    def format(self) -> str:
        """QEMU's name for the format of both."""
        return "qcow2" if self.code.suffix == ".qcow2" else "raw"


# Pairs of Debian, Fedora and RHEL, Arch Linux, in the order they are tried.
UEFI_IMAGES = {
    Arch.X86_64: (
        UefiImage(Path("/usr/share/OVMF/OVMF_CODE_4M.fd"), Path("/usr/share/OVMF/OVMF_VARS_4M.fd")),
        UefiImage(
            Path("/usr/share/edk2/ovmf/OVMF_CODE_4M.qcow2"), Path("/usr/share/edk2/ovmf/OVMF_VARS_4M.qcow2")
        ),
        UefiImage(Path("/usr/share/edk2/ovmf/OVMF_CODE.fd"), Path("/usr/share/edk2/ovmf/OVMF_VARS.fd")),
        UefiImage(Path("/usr/share/OVMF/OVMF_CODE.fd"), Path("/usr/share/OVMF/OVMF_VARS.fd")),
        UefiImage(Path("/usr/share/edk2/x64/OVMF_CODE.4m.fd"), Path("/usr/share/edk2/x64/OVMF_VARS.4m.fd")),
    ),
    Arch.AARCH64: (
        UefiImage(Path("/usr/share/AAVMF/AAVMF_CODE.fd"), Path("/usr/share/AAVMF/AAVMF_VARS.fd")),
        UefiImage(
            Path("/usr/share/edk2/aarch64/QEMU_EFI-silent-pflash.raw"),
            Path("/usr/share/edk2/aarch64/vars-template-pflash.raw"),
        ),
    ),
}
UEFI_PACKAGES = {
    Arch.X86_64: Packages(apt="ovmf", dnf="edk2-ovmf"),
    Arch.AARCH64: Packages(apt="qemu-efi-aarch64", dnf="edk2-aarch64"),
}


def find_uefi(arch: Arch, images: Sequence[UefiImage] | None = None) -> UefiImage:
    """The firmware of this machine for guests of `arch`; `uefi-firmware-missing` where there is none."""
    tried = UEFI_IMAGES[arch] if images is None else images
    for image in tried:
        if image.code.exists() and image.variables.exists():
            return image
    raise BootimgError(
        "uefi-firmware-missing",
        f"there is no UEFI firmware for {arch} on this machine",
        context=[f"looked for {image.code}" for image in tried],
        hint=UEFI_PACKAGES[arch].hint(),
        exit_code=ExitCode.ENVIRONMENT,
    )
