"""QEMU's programs: where they are and whether they are new enough."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from pathlib import Path

from bootimg import process
from bootimg.arch import Arch
from bootimg.errors import BootimgError, ExitCode
from bootimg.hostpackages import Packages

MINIMUM = (6, 0)
# RHEL's QEMU emulates its own architecture only, under this name.
RHEL_QEMU = Path("/usr/libexec/qemu-kvm")
IMG_PACKAGES = Packages(apt="qemu-utils", dnf="qemu-img")


@dataclass(frozen=True, slots=True)
class Program:
    """A program of QEMU's and its version; `raw` is the line it printed."""

    path: Path
    version: tuple[int, ...]
    raw: str

    @property
    def version_text(self) -> str:
        """Such as 7.2.22."""
        return ".".join(str(number) for number in self.version)


def system_name(arch: Arch) -> str:
    """The emulator's name."""
    return f"qemu-system-{arch.row.names.qemu}"


def find_system(arch: Arch) -> Program | None:
    """The emulator for an architecture, of any version, or None."""
    path = process.find(system_name(arch))
    if path is None and arch is Arch.of_machine() and RHEL_QEMU.exists():
        path = RHEL_QEMU
    return _program(path) if path else None


def find_qemu_img() -> Program | None:
    """qemu-img, of any version, or None."""
    path = process.find("qemu-img")
    return _program(path) if path else None


def require_system(arch: Arch | None = None) -> Program:
    """The emulator for `arch` (this machine's by default); qemu-missing or qemu-too-old."""
    arch = arch or Arch.of_machine()
    found = find_system(arch)
    if found is None:
        raise BootimgError(
            "qemu-missing",
            f"{system_name(arch)} is not installed",
            note="guests, and programs of the layer, run in virtual machines that QEMU runs",
            hint=arch.row.hardware.packages.hint(),
            exit_code=ExitCode.ENVIRONMENT,
        )
    if found.version < MINIMUM:
        raise BootimgError(
            "qemu-too-old",
            f"{found.path} is version {found.version_text}; {_minimum()} or newer is needed",
            context=[found.raw],
            hint=arch.row.hardware.packages.hint(),
            exit_code=ExitCode.ENVIRONMENT,
        )
    return found


def require_qemu_img() -> Program:
    """qemu-img; qemu-img-missing or qemu-img-too-old."""
    found = find_qemu_img()
    if found is None:
        raise BootimgError(
            "qemu-img-missing",
            "qemu-img is not installed",
            note="libguestfs protects read-only drives with it, and image files are read by it",
            hint=IMG_PACKAGES.hint(),
            exit_code=ExitCode.ENVIRONMENT,
        )
    if found.version < MINIMUM:
        raise BootimgError(
            "qemu-img-too-old",
            f"{found.path} is version {found.version_text}; {_minimum()} or newer is needed",
            context=[found.raw],
            hint=IMG_PACKAGES.hint(),
            exit_code=ExitCode.ENVIRONMENT,
        )
    return found


def parse_version(text: str) -> tuple[int, ...]:
    """The first dotted number in what a program says of itself; () where there is none."""
    match = re.search(r"\d+(?:\.\d+)+", text)
    return tuple(int(number) for number in match[0].split(".")) if match else ()


def _program(path: Path) -> Program:
    status = path.stat()
    return _asked(path, status.st_ino, status.st_mtime_ns)


@functools.cache
def _asked(path: Path, inode: int, changed: int) -> Program:
    """A program is asked once, and again if its file is replaced: disks are read in many short calls."""
    done = process.run([path, "--version"], check=False, timeout=60)
    lines = (done.stdout + done.stderr).decode(errors="replace").splitlines() or [""]
    return Program(path, parse_version(lines[0]), lines[0])


def _minimum() -> str:
    return ".".join(str(number) for number in MINIMUM)
