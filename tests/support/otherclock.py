"""A clock that is more than a year ahead, for bootimg and for the programs that it runs."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

_AHEAD = "+400d"
_VARIABLES = ("LD_PRELOAD", "FAKETIME")
# Under libfaketime 0.9.10 Python's threads wait for ever, so bootimg's own clock is changed in Python.
_PYTHON = """
import datetime, time

SECONDS = 400 * 24 * 3600
real, real_ns, gmtime, localtime, strftime = (
    time.time, time.time_ns, time.gmtime, time.localtime, time.strftime
)
time.time = lambda: real() + SECONDS
time.time_ns = lambda: real_ns() + SECONDS * 10**9
time.gmtime = lambda seconds=None: gmtime(time.time() if seconds is None else seconds)
time.localtime = lambda seconds=None: localtime(time.time() if seconds is None else seconds)
time.strftime = lambda form, moment=None: strftime(form, time.localtime() if moment is None else moment)

class Ahead(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return super().now(tz) + datetime.timedelta(seconds=SECONDS)

datetime.datetime = Ahead
"""


def why_not() -> str | None:
    """Why there is no such clock here, or None."""
    return None if shutil.which("faketime") else "faketime is not installed"


def other_clock(folder: Path, path: str, programs: Iterable[str]) -> dict[str, str]:
    """The environment for a Python program with that clock.

    In its PATH, before `path`, is a folder `bin` with the programs, which libfaketime gives that clock.
    """
    said = subprocess.run(["faketime", "-f", _AHEAD, "env"], check=True, capture_output=True, text=True)
    found = dict(line.split("=", 1) for line in said.stdout.splitlines() if line.startswith(_VARIABLES))
    # Another machine sees the times that files were given.
    words = " ".join(f"{name}='{found[name]}'" for name in _VARIABLES) + " NO_FAKE_STAT=1"
    for name in ("bin", "python"):
        (folder / name).mkdir()
    for name in programs:
        if real := shutil.which(name, path=path):
            (folder / "bin" / name).write_text(f'#!/bin/sh\nexec env {words} {real} "$@"\n')
            (folder / "bin" / name).chmod(0o755)
    (folder / "python/sitecustomize.py").write_text(_PYTHON)
    modules = os.pathsep.join(filter(None, [str(folder / "python"), os.environ.get("PYTHONPATH")]))
    return {"PATH": f"{folder / 'bin'}:{path}", "PYTHONPATH": modules}
