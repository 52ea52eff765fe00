"""Jobs side by side, within a number of them and a budget of memory; one that fails leaves the others.

The work is done in threads: hashing, deflating and reading let go of the interpreter's lock, and what is
slower still runs in programs of its own.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from bootimg.errors import BootimgError
from bootimg.sizes import MIB

Value = TypeVar("Value")
_LEAST = 256 * MIB
_LOOK = 0.5


class StoppedError(Exception):
    """Leaves a job whose result nobody waits for any more."""


@dataclass(frozen=True, slots=True)
class Stop:
    """A job's way to hear that it shall end."""

    _flag: threading.Event = field(default_factory=threading.Event)

    def set(self) -> None:
        """Have every job that listens end."""
        self._flag.set()

    @property
    def requested(self) -> bool:
        """Whether the job shall end."""
        return self._flag.is_set()

    def check(self) -> None:
        """Raise `StoppedError` if the job shall end."""
        if self.requested:
            raise StoppedError


@dataclass(frozen=True, slots=True)
class Job(Generic[Value]):
    """A piece of work, and the bytes of memory that it and the programs it starts will take."""

    name: str
    work: Callable[[Stop], Value]
    memory: int


@dataclass(frozen=True, slots=True)
class Ended(Generic[Value]):
    """How a job ended: with its value, or with an error a person can act on."""

    name: str
    value: Value | None = None
    error: BootimgError | None = None


def memory_budget() -> int:
    """Bytes that jobs may take together: half of what this machine has free, 256 MiB at least."""
    return max(_LEAST, _available() // 2)


def _available() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def run_jobs(jobs: Sequence[Job[Value]], *, workers: int, memory: int) -> list[Ended[Value]]:
    """Run all jobs, at most `workers` at a time and within `memory` bytes, and say how each ended.

    They start in their order, except that one which fits passes one that has to wait for memory; one
    that alone is over the budget runs alone.  An exception that is no `BootimgError`, and ^C, stop all
    jobs, wait for them and are raised again.
    """
    waiting = list(jobs)
    running: dict[Future[Value], Job[Value]] = {}
    ended: dict[str, Ended[Value]] = {}
    stop = Stop()
    with ThreadPoolExecutor(workers, "job") as threads:
        try:
            while waiting or running:
                while job := _next(waiting, running.values(), workers, memory):
                    waiting.remove(job)
                    running[threads.submit(job.work, stop)] = job
                # A signal that comes just before the wait is only seen after it.
                for future in wait(running, _LOOK, FIRST_COMPLETED).done:
                    name = running.pop(future).name
                    ended[name] = _ended(name, future)
        finally:
            # Nothing runs any more after a good end.
            stop.set()
    return [ended[job.name] for job in jobs]


def _next(
    waiting: Sequence[Job[Value]], running: Collection[Job[Value]], workers: int, memory: int
) -> Job[Value] | None:
    left = memory - sum(job.memory for job in running)
    if len(running) >= workers:
        return None
    return next((job for job in waiting if job.memory <= left or not running), None)


def _ended(name: str, future: Future[Value]) -> Ended[Value]:
    try:
        return Ended(name, value=future.result())
    except BootimgError as error:
        return Ended(name, error=error)
