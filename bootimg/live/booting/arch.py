"""What a virtual machine with live media has that depends on the architecture."""

from __future__ import annotations

from bootimg.arch import Arch


def serial_console(arch: Arch) -> str:
    """The kernel argument for the console that a run shows; media for real machines do not set it."""
    return f"console={arch.row.hardware.console}"
