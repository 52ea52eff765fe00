"""What holds where a caller says nothing: the command line and the Python API have the same defaults."""

from __future__ import annotations

import os
from pathlib import Path

BUILDS = Path("builds")
"""The tree of builds."""
PLATFORMS = ("qemu",)
STREAMS = Path("config.yaml")
"""The pipeline's file that describes the streams."""
ACCELERATOR = "auto"
BUILDER = "own"
DEPLOY = "native"
PURITY = "error"
TLS_VERIFY = True


def jobs() -> int:
    """How much is done at a time: the number of CPUs."""
    return os.cpu_count() or 1
