"""isolinux, which starts the ISO on a BIOS: where distributions keep its files."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from bootimg.errors import BootimgError, ExitCode
from bootimg.live.iso.bootrow import ISOLINUX, BootRow
from bootimg.live.iso.isohybrid import check_hybrid

Read = Callable[[str], bytes | None]
"""Returns the content of a path without a leading slash; None if there is no such file."""

# Fedora and RHEL (package syslinux and syslinux-nonlinux); Debian (isolinux and syslinux-common).
_FOLDERS = ("usr/share/syslinux", "usr/lib/ISOLINUX", "usr/lib/syslinux/modules/bios")
_VERSION = re.compile(rb"ISOLINUX ([0-9.]{1,20})")
BOOT_CODE = "isohdpfx.bin"
"""The boot code for the MBR of an ISO that is a disk too."""


@dataclass(frozen=True, slots=True)
class Syslinux:
    """The files of a row of the table and the boot code, by name; `of_layer` is false for this machine's."""

    files: Mapping[str, bytes]
    of_layer: bool

    @property
    def identity(self) -> str:
        """The version that isolinux.bin tells, and a digest of all files."""
        found = _VERSION.search(self.files.get(PurePosixPath(ISOLINUX).name, b""))
        version = found[1].decode() if found else "unknown"
        digest = hashlib.sha256()
        for name, data in sorted(self.files.items()):
            digest.update(b"%s %s\n" % (name.encode(), hashlib.sha256(data).hexdigest().encode()))
        return f"{version} sha256:{digest.hexdigest()}"


def read_here(path: str) -> bytes | None:
    """A file of this machine."""
    here = Path("/", path)
    return here.read_bytes() if here.is_file() else None


def find_syslinux(layer: Read, row: BootRow, here: Read = read_here) -> Syslinux:
    """All files from the layer, or all from this machine: files of two versions do not fit together.

    Raises `isolinux-missing`, which names the files that this machine lacks, and `isolinux-invalid`.
    """
    wanted = [*row.syslinux, *([BOOT_CODE] if row.hybrid else [])]
    found = Syslinux(_files(layer, wanted), of_layer=True)
    if len(found.files) < len(wanted):
        found = Syslinux(_files(here, wanted), of_layer=False)
    if missing := [name for name in wanted if name not in found.files]:
        raise _missing(missing)
    if row.hybrid:
        check_hybrid(found.files[BOOT_CODE], found.files[PurePosixPath(ISOLINUX).name])
    return found


def _files(read: Read, names: Sequence[str]) -> Mapping[str, bytes]:
    return {name: data for name in names if (data := _find(read, name)) is not None}


def _find(read: Read, name: str) -> bytes | None:
    return next((data for folder in _FOLDERS if (data := read(f"{folder}/{name}")) is not None), None)


def _missing(names: Iterable[str]) -> BootimgError:
    return BootimgError(
        "isolinux-missing",
        f"files of syslinux for the live ISO are missing: {', '.join(names)}",
        context=[f"looked in {', '.join(_FOLDERS)} of the layer and of this machine"],
        hint="install syslinux and syslinux-nonlinux (Fedora, RHEL) or isolinux and syslinux-common (Debian)",
        exit_code=ExitCode.USAGE,
    )
