"""Sends the parts of an upload side by side, each recorded when it has arrived."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

from bootimg.cloud.content import Part
from bootimg.cloud.journal import Journal
from bootimg.events import Step
from bootimg.jobs import Stop, StoppedError

Send = Callable[[Part], str]
_LOOK = 0.5


def send_parts(
    parts: Sequence[Part], send: Send, *, of: str, journal: Journal, workers: int, step: Step, stop: Stop
) -> dict[int, str]:
    """Send each part and return the receipts by number, with those of `journal` for parts sent before.

    At most one part for each worker is under way.  So a killed upload sends at most that many again.
    """
    done = journal.parts(of)
    waiting = iter([part for part in parts if part.number not in done])
    taking, failed = threading.Lock(), Stop()

    def work() -> None:
        while not (failed.requested or stop.requested):
            with taking:
                part = next(waiting, None)
            if part is None:
                return
            receipt = send(part)
            journal.part(of, part.number, receipt)
            with taking:
                done[part.number] = receipt
            step.advance(part.length)

    with ThreadPoolExecutor(workers, "part") as threads:
        running = {threads.submit(work) for _ in range(workers)}
        try:
            while running:
                ended, running = wait(running, _LOOK, FIRST_EXCEPTION)
                for each in ended:
                    each.result()
        finally:
            # After a good end no worker is running.
            failed.set()
    if stop.requested:
        raise StoppedError
    return {part.number: done[part.number] for part in parts}


def unsent(parts: Sequence[Part], of: str, journal: Journal) -> int:
    """The bytes of the parts that were not sent yet."""
    done = journal.parts(of)
    return sum(part.length for part in parts if part.number not in done)
