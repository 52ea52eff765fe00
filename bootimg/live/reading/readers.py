"""The programs that read single files of a live system's root file system, and the versions that can."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bootimg import process
from bootimg.errors import BootimgError, ExitCode
from bootimg.hostpackages import Packages
from bootimg.live.fsoptions import FsType
from bootimg.live.programs.known import Versioned, installed_at

READERS: Mapping[FsType, Versioned] = {
    # The first with -cat and -max-depth.
    FsType.SQUASHFS: Versioned(
        name="unsquashfs",
        version_option="-version",
        minimum=(4, 5),
        packages=Packages("squashfs-tools", "squashfs-tools"),
    ),
    # The first with --cat.
    FsType.EROFS: Versioned(
        name="dump.erofs",
        version_option="-V",
        minimum=(1, 8, 5),
        packages=Packages("erofs-utils", "erofs-utils"),
    ),
}


def require_reader(fstype: FsType) -> Path:
    """The program that reads a file system; `program-missing`, `live-reader-too-old`."""
    reader = READERS[fstype]
    packages = f"{reader.packages.apt} {reader.wanted} or newer (apt, dnf)"
    found = installed_at(process.require(reader.name, packages=packages), reader)
    if found.version < reader.minimum:
        raise BootimgError(
            "live-reader-too-old",
            f"{reader.name} cannot read single files of a live system: {reader.wanted} or newer is needed",
            context=[str(found)],
            hint=f"install a newer one: {reader.packages.hint()}",
            exit_code=ExitCode.ENVIRONMENT,
        )
    return found.path
