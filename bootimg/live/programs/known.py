"""The programs that make the live system's root file system, and the versions that can."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bootimg import process
from bootimg.hostpackages import Packages
from bootimg.live.fsoptions import FsType
from bootimg.vm.qemu import parse_version


@dataclass(frozen=True, slots=True, kw_only=True)
class Versioned:
    """A program, the option that prints its version, the oldest version that will do, and its packages."""

    name: str
    version_option: str
    minimum: tuple[int, ...]
    packages: Packages

    @property
    def wanted(self) -> str:
        """The oldest version that will do, as text."""
        return dotted(self.minimum)


@dataclass(frozen=True, slots=True, kw_only=True)
class Maker(Versioned):
    """A program that makes a file system.

    It needs `for_device` to write to a block device.  With `temporary_files` it writes up to the size of all
    files to its temporary folder.
    """

    for_device: tuple[str, ...] = ()
    temporary_files: bool = False


MAKERS: Mapping[FsType, Maker] = {
    # Older ones give the root directory the clock's time and no label, swap the ends of files now and then,
    # and refuse the options of a compressor.
    FsType.SQUASHFS: Maker(
        name="sqfstar",
        version_option="-version",
        minimum=(4, 6),
        packages=Packages("squashfs-tools", "squashfs-tools"),
        for_device=("-force",),
    ),
    # With -Eall-fragments, which CoreOS's layers set, 1.8.6 gives some files the content of others.
    FsType.EROFS: Maker(
        name="mkfs.erofs",
        version_option="-V",
        minimum=(1, 9),
        packages=Packages("erofs-utils", "erofs-utils"),
        temporary_files=True,
    ),
}


@dataclass(frozen=True, slots=True)
class Installed:
    """A program of this machine; the version is () if it does not tell it."""

    path: Path
    version: tuple[int, ...]

    def __str__(self) -> str:
        """The path and the version."""
        return f"{self.path} is {dotted(self.version) or 'of an unknown version'}"


def installed(program: Versioned) -> Installed | None:
    """The program of this machine; None if it is not installed."""
    path = process.find(program.name)
    return None if path is None else installed_at(path, program)


def installed_at(path: Path, program: Versioned) -> Installed:
    """The program at a path, with its version."""
    done = process.run([path, program.version_option], check=False, timeout=60)
    return Installed(path, parse_version((done.stdout + done.stderr).decode(errors="replace")))


def dotted(version: tuple[int, ...]) -> str:
    """A version as text; empty for an unknown one."""
    return ".".join(map(str, version))
