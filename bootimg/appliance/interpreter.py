"""The Python that has libguestfs' binding; it need not be the Python that runs bootimg."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from bootimg.errors import BootimgError, ExitCode
from bootimg.hostpackages import Packages
from bootimg.systempython import candidates, first_that_runs

MINIMUM = (1, 44)
"""The first version whose direct backend can be told to use KVM."""
_VERSION = "import guestfs; print(guestfs.GuestFS(python_return_dict=True).version())"
PACKAGES = Packages(apt="python3-guestfs libguestfs-xfs", dnf="python3-libguestfs libguestfs-xfs")


def guestfs_python(pythons: Sequence[Path] | None = None) -> Path:
    """The first interpreter that can import guestfs; `libguestfs-missing` if none can.

    `libguestfs-too-old` if that libguestfs is older than `MINIMUM`.
    """
    tried = candidates() if pythons is None else list(pythons)
    if found := first_that_runs(_VERSION, tried):
        _require_version(*found)
        return found[0]
    raise BootimgError(
        "libguestfs-missing",
        "no Python on this machine has the libguestfs binding (module `guestfs`)",
        context=[f"tried {python}" for python in tried],
        note="programs of the layer run in a small virtual machine that libguestfs starts",
        hint=PACKAGES.hint(),
        exit_code=ExitCode.ENVIRONMENT,
    )


def _require_version(python: Path, output: str) -> None:
    """Refuse an old libguestfs; `output` is its table of version numbers.  An empty table is accepted."""
    numbers = {name: int(number) for name, number in re.findall(r"'(\w+)': (\d+)", output)}
    if not numbers or (numbers["major"], numbers["minor"]) >= MINIMUM:
        return
    version = ".".join(str(numbers[name]) for name in ("major", "minor", "release"))
    raise BootimgError(
        "libguestfs-too-old",
        f"libguestfs is version {version}; {'.'.join(map(str, MINIMUM))} or newer is needed",
        context=[f"it is the one of {python}"],
        hint=PACKAGES.hint(),
        exit_code=ExitCode.ENVIRONMENT,
    )
