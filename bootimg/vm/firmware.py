"""UEFI firmware of this machine, for guests."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bootimg.arch import Arch
from bootimg.arches.row import Firmware, UefiImage
from bootimg.errors import BootimgError, ExitCode


@dataclass(frozen=True, slots=True)
class Flash:
    """UEFI's two flash images: the code is shared, `variables` is a machine's own copy."""

    code: Path
    variables: Path
    format: str = "raw"


def make_flash(arch: Arch, firmware: Firmware | None, folder: Path) -> Flash | None:
    """The flash images of a machine, with variables in `folder`; None if its firmware needs none.

    The firmware is the architecture's first one if it is None.  Errors: those of `find_uefi`.
    """
    if check_firmware(arch, firmware) is not Firmware.UEFI:
        return None
    found = find_uefi(arch)
    variables = folder / ("variables" + found.variables.suffix)
    shutil.copyfile(found.variables, variables)  # not with its mode: the template may be read-only
    return Flash(found.code, variables, found.format)


def check_firmware(arch: Arch, firmware: Firmware | None) -> Firmware:
    """The firmware asked for, or the architecture's first; `firmware-unsupported` if it has no such one."""
    known = arch.row.firmwares
    if firmware is None:
        return known[0]
    if firmware not in known:
        raise BootimgError(
            "firmware-unsupported",
            f"{arch} machines do not start with {firmware}",
            hint=f"{arch} has {', '.join(known)}",
            exit_code=ExitCode.USAGE,
        )
    return firmware


def find_uefi(arch: Arch, images: Sequence[UefiImage] | None = None) -> UefiImage:
    """The firmware of this machine for guests of `arch`, one of `images` or of those in the table.

    `firmware-unsupported` if the architecture has no UEFI; `uefi-firmware-missing` if none is installed.
    """
    check_firmware(arch, Firmware.UEFI)
    uefi = arch.row.uefi
    assert uefi is not None
    tried = uefi.images if images is None else images
    for image in tried:
        if image.code.exists() and image.variables.exists():
            return image
    raise BootimgError(
        "uefi-firmware-missing",
        f"there is no UEFI firmware for {arch} on this machine",
        context=[f"looked for {image.code}" for image in tried],
        hint=uefi.packages.hint(),
        exit_code=ExitCode.ENVIRONMENT,
    )
