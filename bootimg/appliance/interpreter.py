"""The system's Python: the one that has libguestfs' binding, which bootimg's own need not have."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bootimg import process
from bootimg.errors import BootimgError, ExitCode
from bootimg.vm.packages import Packages

PACKAGES = Packages(apt="python3-guestfs libguestfs-xfs", dnf="python3-libguestfs libguestfs-xfs")


def candidates() -> list[Path]:
    """Interpreters to try, the system's own first."""
    found = [Path("/usr/bin/python3"), process.find("python3"), Path("/usr/libexec/platform-python")]
    return [path for path in dict.fromkeys(found) if path is not None and path.exists()]


def can_import(python: Path, module: str) -> bool:
    """Whether that interpreter has the module."""
    return process.run([python, "-I", "-c", f"import {module}"], check=False, timeout=60).returncode == 0


def guestfs_python(pythons: Sequence[Path] | None = None) -> Path:
    """The first interpreter that can import guestfs; `libguestfs-missing` where there is none."""
    tried = candidates() if pythons is None else list(pythons)
    for python in tried:
        if can_import(python, "guestfs"):
            return python
    raise BootimgError(
        "libguestfs-missing",
        "no Python on this machine has the libguestfs binding (module `guestfs`)",
        context=[f"tried {python}" for python in tried],
        note="disks are made in a small virtual machine that libguestfs starts",
        hint=PACKAGES.hint(),
        exit_code=ExitCode.ENVIRONMENT,
    )
