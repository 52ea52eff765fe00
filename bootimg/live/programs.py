"""The programs that make the live system's root file system, and the versions that can."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bootimg import process
from bootimg.errors import BootimgError, ExitCode
from bootimg.hostpackages import Packages
from bootimg.live.fsoptions import FsType
from bootimg.vm.qemu import parse_version


@dataclass(frozen=True, slots=True)
class Maker:
    """A program, the option that prints its version, the oldest version that will do, and its packages."""

    name: str
    version_option: str
    minimum: tuple[int, ...]
    packages: Packages


MAKERS: Mapping[FsType, Maker] = {
    # Older ones give the root directory the clock's time and no label, swap the ends of files now and then,
    # and refuse the options of a compressor.
    FsType.SQUASHFS: Maker("sqfstar", "-version", (4, 6), Packages("squashfs-tools", "squashfs-tools")),
    # With -Eall-fragments, which CoreOS's layers set, 1.8.6 gives some files the content of others.
    FsType.EROFS: Maker("mkfs.erofs", "-V", (1, 9), Packages("erofs-utils", "erofs-utils")),
}


def require_maker(fstype: FsType) -> Path:
    """The program for a file system; `program-missing`, or `live-program-too-old` with the way out."""
    maker = MAKERS[fstype]
    wanted = ".".join(map(str, maker.minimum))
    program = process.require(maker.name, packages=f"{maker.packages.apt} {wanted} or newer (apt, dnf)")
    done = process.run([program, maker.version_option], check=False, timeout=60)
    version = parse_version((done.stdout + done.stderr).decode(errors="replace"))
    if version < maker.minimum:
        raise BootimgError(
            "live-program-too-old",
            f"{maker.name} cannot make the {fstype} of a live system: {wanted} or newer is needed",
            context=[f"{program} is {'.'.join(map(str, version)) or 'of an unknown version'}"],
            hint="install a newer one; `bootimg doctor` names the packages",
            exit_code=ExitCode.ENVIRONMENT,
        )
    return program
