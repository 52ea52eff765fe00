"""isolinux, which starts the ISO on a BIOS: where distributions keep its files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from bootimg.errors import BootimgError, ExitCode
from bootimg.live.iso.bootrow import BootRow

# Fedora and RHEL (package syslinux and syslinux-nonlinux); Debian (isolinux and syslinux-common).
_FOLDERS = ("usr/share/syslinux", "usr/lib/ISOLINUX", "usr/lib/syslinux/modules/bios")
BOOT_CODE = "isohdpfx.bin"
"""The boot code for the MBR of an ISO that is a disk too."""


def syslinux_files(read: Callable[[str], bytes | None], row: BootRow) -> Mapping[str, bytes]:
    """The row's files of syslinux and the boot code, by name.

    `read` gives the content of a path without a leading slash, None if it does not exist: of the layer, or of
    this machine.  Raises `isolinux-missing`, which names every file that was not found.
    """
    wanted = [*row.syslinux, *([BOOT_CODE] if row.hybrid else [])]
    found = {name: data for name in wanted if (data := _find(read, name)) is not None}
    if missing := [name for name in wanted if name not in found]:
        raise _missing(missing)
    return found


def _find(read: Callable[[str], bytes | None], name: str) -> bytes | None:
    return next((data for folder in _FOLDERS if (data := read(f"{folder}/{name}")) is not None), None)


def _missing(names: Iterable[str]) -> BootimgError:
    return BootimgError(
        "isolinux-missing",
        f"files of syslinux for the live ISO are missing: {', '.join(names)}",
        context=[f"looked in {', '.join(_FOLDERS)}"],
        hint="install syslinux and syslinux-nonlinux (Fedora, RHEL) or isolinux and syslinux-common (Debian)",
        exit_code=ExitCode.USAGE,
    )
