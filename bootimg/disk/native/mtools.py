"""Runs mtools and mkfs.fat so that only their arguments count."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from bootimg import process

PACKAGE = "mtools"


def environment(epoch: int) -> Mapping[str, str]:
    """mtools without the user's configuration, in UTC and at one time."""
    # mtools reads the file .mtoolsrc in HOME, whatever MTOOLSRC says.
    return {
        "SOURCE_DATE_EPOCH": str(epoch),
        "TZ": "UTC",
        "HOME": os.devnull,
        "MTOOLSRC": os.devnull,
        "MTOOLS_SKIP_CHECK": "1",
    }


def run_mtools(argv: Sequence[process.Argument], folder: Path, epoch: int = 0) -> bytes:
    """Run one of them in a folder and return its stdout; files it makes get the time `epoch` (seconds)."""
    program = process.require(os.fspath(argv[0]), packages=PACKAGE)
    return process.run([program, *argv[1:]], cwd=folder, env=environment(epoch), timeout=120).stdout
