"""Work on threads whose results are consumed in the order of submission.

The compressors release the GIL, so threads are enough.  The output never depends on their number.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, ParamSpec, Self, TypeVar

R = TypeVar("R")
P = ParamSpec("P")


def processors() -> int:
    """The number of processors that this process may use."""
    return len(os.sched_getaffinity(0))


class InOrder(Generic[R]):
    """Calls `take` with each result on the caller's thread; at most `waiting` jobs are pending."""

    def __init__(self, take: Callable[[R], None], threads: int, waiting: int | None = None) -> None:
        self._take = take
        self._threads = ThreadPoolExecutor(threads, "compress")
        self._waiting = 3 * threads if waiting is None else waiting
        self._jobs: deque[Future[R]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._threads.shutdown(cancel_futures=kind is not None)

    def submit(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> None:
        """Start a job; waits while too many are pending."""
        self._append(self._threads.submit(work, *args, **kwargs))

    def put(self, result: R) -> None:
        """Add a known result in its order."""
        done: Future[R] = Future()
        done.set_result(result)
        self._append(done)

    def drain(self) -> None:
        """Wait for and take all remaining results."""
        while self._jobs:
            self._take(self._jobs.popleft().result())

    def _append(self, job: Future[R]) -> None:
        self._jobs.append(job)
        while self._jobs and (len(self._jobs) > self._waiting or self._jobs[0].done()):
            self._take(self._jobs.popleft().result())
