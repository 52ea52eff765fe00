"""Processes as the kernel shows them, by their pids."""

from __future__ import annotations

from pathlib import Path


def is_running(pid: int) -> bool:
    """Whether the process is there and has not ended; a zombie has."""
    try:
        return _status(pid)[0] not in "ZX"
    except OSError:
        return False


def parent_of(pid: int) -> int:
    """The pid of its parent; OSError if the process is gone."""
    return int(_status(pid)[1])


def _status(pid: int) -> list[str]:
    # Behind the name, which may have blanks: the state, then the parent.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
