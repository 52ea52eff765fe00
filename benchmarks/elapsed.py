"""Wall clock and CPU time of a piece of work, including the programs that it runs."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(order=True)
class Elapsed:
    """Wall clock seconds and CPU seconds (user and system); both are set when the work ends."""

    seconds: float = 0.0
    cpu: float = 0.0

    def __add__(self, other: Elapsed) -> Elapsed:
        return Elapsed(self.seconds + other.seconds, self.cpu + other.cpu)

    def __str__(self) -> str:
        return f"{self.seconds:.1f} s ({self.cpu:.1f} s CPU)"


@contextmanager
def measured() -> Iterator[Elapsed]:
    """Measures the body."""
    elapsed, started, before = Elapsed(), time.monotonic(), os.times()
    yield elapsed
    elapsed.seconds, elapsed.cpu = time.monotonic() - started, sum(os.times()[:4]) - sum(before[:4])


@contextmanager
def measured_settled() -> Iterator[Elapsed]:
    """Measures the body after all earlier writes are on the disk: the body may sync whole file systems."""
    os.sync()
    with measured() as elapsed:
        yield elapsed


@contextmanager
def measured_programs() -> Iterator[Elapsed]:
    """As `measured_settled`, with the CPU seconds of the programs alone: a server may run in this process."""
    os.sync()
    started, before = time.monotonic(), os.times()
    elapsed = Elapsed()
    yield elapsed
    elapsed.seconds, elapsed.cpu = time.monotonic() - started, sum(os.times()[2:4]) - sum(before[2:4])
