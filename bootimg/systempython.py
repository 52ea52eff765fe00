"""The system's Python: distributions build the bindings of libguestfs and libostree only for it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bootimg import process

_TIMEOUT = 60.0
_found: dict[tuple[str, tuple[Path, ...]], tuple[Path, str]] = {}


def candidates() -> list[Path]:
    """Interpreters to try, the system's own first."""
    found = [Path("/usr/bin/python3"), process.find("python3"), Path("/usr/libexec/platform-python")]
    return [path for path in dict.fromkeys(found) if path is not None and path.exists()]


def first_that_runs(script: str, pythons: Sequence[Path]) -> tuple[Path, str] | None:
    """The first interpreter in which the script succeeds, and the script's output.

    It is looked for once in this process.  Where there is none, each call looks again.
    """
    key = script, tuple(pythons)
    if key not in _found and (found := _first(script, pythons)):
        _found[key] = found
    return _found.get(key)


def _first(script: str, pythons: Sequence[Path]) -> tuple[Path, str] | None:
    for python in pythons:
        done = process.run([python, "-I", "-c", script], check=False, timeout=_TIMEOUT)
        if done.returncode == 0:
            return python, done.stdout.decode(errors="replace")
    return None
