"""What ^C does: the first stops cleanly, the second stops at once."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from bootimg.errors import ExitCode


@contextmanager
def stoppable() -> Iterator[None]:
    """SIGINT and SIGTERM raise KeyboardInterrupt in the body; the second of them ends the process."""
    came = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal came
        if came:
            _stop_now()
        came = True
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop_now() -> None:
    """Kill the programs that this process started (each leads its own process group) and exit."""
    for child in _children():
        try:
            os.killpg(child, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue
    os._exit(ExitCode.INTERRUPTED)


def _children() -> list[int]:
    found: list[int] = []
    for threads in Path("/proc/self/task").glob("*/children"):
        found += [int(word) for word in threads.read_text().split()]
    return found
