"""What is known about an architecture: the types of the table's cells."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Literal

from bootimg.hostpackages import Packages


class Firmware(StrEnum):
    """What a machine starts with; NATIVE is the one that ppc64le (SLOF) and s390x have."""

    BIOS = "bios"
    UEFI = "uefi"
    NATIVE = "native"


class BootloaderKind(StrEnum):
    """A bootloader and the place on the disk where the firmware looks for it."""

    EFI_GRUB = "efi-grub"
    BIOS_GRUB = "bios-grub"
    PREP_GRUB = "prep-grub"
    ZIPL = "zipl"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchNames:
    """The names that programs give the architecture.

    `oci` is Go's GOARCH, `rust` is std::env::consts::ARCH, `qemu` ends the emulator's name, and
    `assisted` is what OpenShift's assisted-service calls it.
    """

    rpm: str
    oci: str
    rust: str
    debian: str
    qemu: str
    assisted: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualHardware:
    """How QEMU emulates a machine of the architecture.

    `packages` has the emulator.  `tcg_machine_options` follow `machine` where TCG runs it.  `console` is the
    kernel's name of the serial port.  `ignition` is how Ignition's qemu platform takes its config there: from
    the firmware's fw_cfg, or from a block device with the serial number `ignition`.  `cd` are QEMU's devices
    for a CD drive, the drive last.  With `cd_first` a CD starts before an empty disk beside it: the firmware
    does not pass over the disk, and what installs to it says itself that it is started next.
    """

    packages: Packages
    machine: str
    tcg_cpu: str
    tcg_machine_options: str
    bus: Literal["pci", "ccw"]
    console: str
    ignition: Literal["fw_cfg", "block"]
    cd: tuple[str, ...]
    cd_first: bool = False


@dataclass(frozen=True, slots=True)
class UefiImage:
    """A pair of flash images: the code (shared, read-only) and the template of the variables."""

    code: Path
    variables: Path

    @property
    def format(self) -> str:
        """QEMU's name for the format of both."""
        return "qcow2" if self.code.suffix == ".qcow2" else "raw"


@dataclass(frozen=True, slots=True, kw_only=True)
class Uefi:
    """The UEFI firmware for guests: where distributions keep it, in the order to try, and its packages.

    `name` ends the names of the architecture's EFI programs, as in shimx64.efi.
    """

    name: str
    images: tuple[UefiImage, ...]
    packages: Packages


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchRow:
    """All that differs from one architecture to the next.

    `firmwares` begins with the default.  `uefi` is None where no machine has UEFI.  `kernel_packages` has
    a kernel for the appliance.  `command_line_size` is COMMAND_LINE_SIZE of the kernel, in bytes, the zero at
    the end included.  `beside_root_mib` is the room that the disk's size counts for all but the root file
    system.  `bootloaders` are in the order to install them.  `obstacle` says why bootimg itself makes no
    disks for the architecture even if it has all of them; None if it does.
    """

    names: ArchNames
    hardware: VirtualHardware
    firmwares: tuple[Firmware, ...]
    uefi: Uefi | None
    kernel_packages: Packages
    command_line_size: int
    beside_root_mib: int
    bootloaders: tuple[BootloaderKind, ...]
    obstacle: str | None

    @property
    def has_grub(self) -> bool:
        """Whether GRUB reads the boot entries.  zipl knows neither its variables nor its configuration."""
        return BootloaderKind.ZIPL not in self.bootloaders
