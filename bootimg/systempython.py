"""The system's Python: distributions build the bindings of libguestfs and libostree only for it."""

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
    """The first interpreter in which the script succeeds, and the script's output."""
    for python in pythons:
        done = process.run([python, "-I", "-c", script], check=False, timeout=_TIMEOUT)
        if done.returncode == 0:
            return python, done.stdout.decode(errors="replace")
    return None
