"""The kernel that the appliance boots: one of this machine's own, chosen as supermin chooses it.

supermin (which makes libguestfs' appliance) takes SUPERMIN_KERNEL, else the newest
/lib/modules/*/vmlinuz, else the newest /boot/vmlinuz-* that has modules.  It takes one that this user
cannot read, too, and QEMU then fails; here such a kernel is passed over.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bootimg.arch import Arch
from bootimg.errors import BootimgError, ExitCode
from bootimg.hostpackages import Packages

BOOT = Path("/boot")
MODULES = Path("/lib/modules")


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel image, its release (`uname -r`) and the folder of its modules."""

    path: Path
    release: str
    modules: Path

    @property
    def identity(self) -> str:
        """Changes when the image does: name, size and modification time in nanoseconds."""
        stat = self.path.stat()
        return f"{self.path}:{stat.st_size}:{stat.st_mtime_ns}"

    def supermin_environment(self) -> dict[str, str]:
        """The variables that make supermin take this kernel."""
        return {
            "SUPERMIN_KERNEL": str(self.path),
            "SUPERMIN_KERNEL_VERSION": self.release,
            "SUPERMIN_MODULES": str(self.modules),
        }


def find_kernel() -> Kernel:
    """The kernel for the appliance; `kernel-for-appliance-missing` where there is none to read."""
    candidates = list(_candidates())
    for kernel in candidates:
        if os.access(kernel.path, os.R_OK) and (kernel.modules / "modules.dep").exists():
            return kernel
    if any(kernel.path.exists() and not os.access(kernel.path, os.R_OK) for kernel in candidates):
        hint = f"make it readable: `sudo chmod a+r {candidates[0].path}`, or set SUPERMIN_KERNEL to a copy"
    else:
        hint = kernel_packages().hint()
    raise BootimgError(
        "kernel-for-appliance-missing",
        "there is no kernel on this machine that the appliance can boot",
        context=[_complaint(kernel) for kernel in candidates]
        or [f"looked for {MODULES}/*/vmlinuz and {BOOT}/vmlinuz-*"],
        note="the appliance (a small virtual machine) boots a kernel of this machine, with its modules",
        hint=hint,
        exit_code=ExitCode.ENVIRONMENT,
    )


def kernel_packages() -> Packages:
    """The packages with a kernel for this machine."""
    return Arch.of_machine().row.kernel_packages


def _complaint(kernel: Kernel) -> str:
    if not kernel.path.exists():
        return f"{kernel.path} does not exist"
    if not os.access(kernel.path, os.R_OK):
        return f"{kernel.path} is not readable"
    return f"{kernel.path} has no modules in {kernel.modules}"


def _candidates() -> Iterator[Kernel]:
    if named := os.environ.get("SUPERMIN_KERNEL"):
        path = Path(named)
        release = os.environ.get("SUPERMIN_KERNEL_VERSION") or release_of(path) or _release_of_name(path)
        yield Kernel(path, release, Path(os.environ.get("SUPERMIN_MODULES") or MODULES / release))
        return
    installed = [Kernel(path, path.parent.name, path.parent) for path in MODULES.glob("*/vmlinuz")]
    in_boot = [path for path in BOOT.glob("vmlinuz-*") if not path.is_symlink() and "xen" not in path.name]
    boot = []
    for path in in_boot:
        release = release_of(path) or _release_of_name(path)
        boot.append(Kernel(path, release, MODULES / release))
    for kernels in (installed, boot):
        yield from sorted(kernels, key=lambda kernel: _version_key(kernel.release), reverse=True)


def release_of(image: Path) -> str | None:
    """The release an x86 bzImage says it is (Documentation/arch/x86/boot.rst: HdrS, kernel_version)."""
    try:
        with image.open("rb") as handle:
            header = handle.read(0x300)
            if header[514:518] != b"HdrS":
                return None
            handle.seek(struct.unpack_from("<H", header, 526)[0] + 0x200)
            text = handle.read(132)
    except (OSError, struct.error):
        return None
    return re.split(rb"[\0 \t\n]", text)[0].decode(errors="replace") or None


def _release_of_name(image: Path) -> str:
    return image.name.partition("-")[2] or image.name


def _version_key(release: str) -> list[tuple[int, str]]:
    """Numbers compare as numbers, words as words, and a word sorts before a number."""
    return [
        (int(part) + 1, "") if part.isdigit() else (0, part) for part in re.findall(r"\d+|[^\d]+", release)
    ]
