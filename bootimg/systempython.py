"""The system's Python: distributions bind libguestfs and libostree for it, and for no other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bootimg import process

_TIMEOUT = 60.0


def candidates() -> list[Path]:
    """Interpreters to try, the system's own first."""
    found = [Path("/usr/bin/python3"), process.find("python3"), Path("/usr/libexec/platform-python")]
    return [path for path in dict.fromkeys(found) if path is not None and path.exists()]


def first_that_runs(script: str, pythons: Sequence[Path]) -> tuple[Path, str] | None:
    """The first of the interpreters in which the script ends well, and what it printed."""
    for python in pythons:
        done = process.run([python, "-I", "-c", script], check=False, timeout=_TIMEOUT)
        if done.returncode == 0:
            return python, done.stdout.decode(errors="replace")
    return None
