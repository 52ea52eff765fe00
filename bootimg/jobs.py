"""Runs jobs side by side, within a number of jobs and a memory budget; if one fails, the others continue.

The work runs in threads: hashing, deflating and reading release the interpreter's lock, and slower work runs
in separate programs.
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
    """Ends a job whose result is no longer needed."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Tells jobs to end early."""

    _flag: threading.Event = field(default_factory=threading.Event)

    def set(self) -> None:
        """Tell every job that checks this to end."""
        self._flag.set()

    @property
    def requested(self) -> bool:
        """Whether the job must end."""
        return self._flag.is_set()

    def wait(self, seconds: float) -> None:
        """Wait so long; raises `StoppedError` as soon as the job must end."""
        if self._flag.wait(seconds):
            raise StoppedError

    def check(self) -> None:
        """Raise `StoppedError` if the job must end."""
        if self.requested:
            raise StoppedError


@dataclass(frozen=True, slots=True)
class Job(Generic[Value]):
    """A function to run, and the bytes of memory that it and the programs it starts will take."""

    name: str
    work: Callable[[Stop], Value]
    memory: int


@dataclass(frozen=True, slots=True)
class Ended(Generic[Value]):
    """How a job ended: with its value, or with an error that a person can act on."""

    name: str
    value: Value | None = None
    error: BootimgError | None = None


def memory_budget() -> int:
    """Bytes that all jobs together may take: half of this machine's available memory, at least 256 MiB."""
    return max(_LEAST, _available() // 2)


def _available() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def run_jobs(jobs: Sequence[Job[Value]], *, workers: int, memory: int) -> list[Ended[Value]]:
    """Run all jobs, at most `workers` at a time and within `memory` bytes; yields how each ended.

    Jobs start in their order, but a job that fits may overtake one that waits for memory.  A job that needs
    more than the whole budget runs alone.  An exception other than `BootimgError`, or ^C, stops all jobs,
    waits for them and is raised again.
    """
    waiting = list(jobs)
    running: dict[Future[Value], Job[Value]] = {}
    # Two jobs may have the same name.
    ended: dict[int, Ended[Value]] = {}
    stop = Stop()
    with ThreadPoolExecutor(workers, "job") as threads:
        try:
            while waiting or running:
                while job := _next(waiting, running.values(), workers, memory):
                    waiting.remove(job)
                    running[threads.submit(job.work, stop)] = job
                # Python handles a signal that arrives just before the wait only after the wait.
                for future in wait(running, _LOOK, FIRST_COMPLETED).done:
                    done = running.pop(future)
                    ended[id(done)] = _ended(done.name, future)
        finally:
            # After a good end no job is running.
            stop.set()
    return [ended[id(job)] for job in jobs]


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
