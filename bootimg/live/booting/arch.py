"""The architectures whose live media bootimg boots."""

from __future__ import annotations

from bootimg.arch import Arch
from bootimg.errors import BootimgError, ExitCode


def require_live(arch: Arch) -> None:
    """Refuse live media that no machine of ours boots: `live-run-unsupported`."""
    if not arch.row.hardware.cd:
        known = ", ".join(each for each in Arch if each.row.hardware.cd)
        raise BootimgError(
            "live-run-unsupported",
            f"live media of {arch} cannot be booted yet",
            context=[f"possible: {known}"],
            hint="boot a disk image of the architecture, or use the media on a real machine",
            exit_code=ExitCode.USAGE,
        )


def serial_console(arch: Arch) -> str:
    """The kernel argument for the console that a run shows; media for real machines do not set it."""
    return f"console={arch.row.hardware.console}"
