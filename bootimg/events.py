"""Steps and their progress, as events; sinks decide what to do with them.

The parts of the program call `Events.step` and `Events.message`; `bootimg.cli` chooses the sinks
(rich bars, plain lines, NDJSON).  An event is small: consumers break on long lines.  `arch` is the
architecture whose build an event belongs to, or None where only one is built.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class StepStarted:
    """A step began; `total` is in `unit`, or None if it is not known."""

    step: str
    title: str
    total: int | None = None
    unit: str = "bytes"
    arch: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepProgress:
    """How much of the step's total is `done` so far."""

    step: str
    done: int
    total: int | None
    arch: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFinished:
    """A step ended; `cached` if there was nothing to do, `failed` if it ended with an error.

    `way` is how it was done, for a step whose ways take very different times.
    """

    step: str
    seconds: float
    text: str = ""
    cached: bool = False
    failed: bool = False
    way: str = ""
    arch: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message outside of any step's progress."""

    level: Literal["debug", "info", "warning"]
    text: str
    arch: str | None = None


Event = StepStarted | StepProgress | StepFinished | Message


class Sink(Protocol):
    """Receives events; called from any thread, one call at a time."""

    def __call__(self, event: Event) -> None:
        """Receive one event."""


@dataclass(frozen=True, slots=True)
class _OfArch:
    """Passes events on as those of an architecture."""

    sink: Sink
    arch: str

    def __call__(self, event: Event) -> None:
        self.sink(replace(event, arch=self.arch))


@dataclass
class Step:
    """A running step, created by `Events.step`; several threads may advance it."""

    name: str
    total: int | None
    _events: Events
    done: int = 0
    text: str = ""
    cached: bool = False
    way: str = ""
    _last: float = 0.0
    _counting: threading.Lock = field(default_factory=threading.Lock)

    def advance(self, amount: int) -> None:
        """Count `amount` more as done."""
        # The lock is held while the event is sent, so that sinks get the amounts in order.
        with self._counting:
            self.done += amount
            now = time.monotonic()
            if now - self._last >= 0.1 or self.done == self.total:
                self._last = now
                self._events.emit(StepProgress(step=self.name, done=self.done, total=self.total))

    def result(self, text: str, *, cached: bool = False) -> None:
        """Set the text that the step shows when it ends."""
        self.text, self.cached = text, cached


@dataclass
class Events:
    """Where events go."""

    sinks: Sequence[Sink] = ()
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def emit(self, event: Event) -> None:
        """Send one event to every sink."""
        with self._lock:
            for sink in self.sinks:
                sink(event)

    def message(self, text: str, level: Literal["debug", "info", "warning"] = "info") -> None:
        """Send a message outside of any step's progress."""
        self.emit(Message(level=level, text=text))

    def of_arch(self, arch: str) -> Events:
        """Events that go to the same sinks, as those of an architecture."""
        return Events([_OfArch(sink, arch) for sink in self.sinks], self._lock)

    @contextmanager
    def step(self, name: str, title: str, *, total: int | None = None, unit: str = "bytes") -> Iterator[Step]:
        """Run the body as the step `name`; its end, good or bad, is an event with its seconds."""
        started = time.monotonic()
        step = Step(name, total, self)
        self.emit(StepStarted(step=name, title=title, total=total, unit=unit))
        failed = True
        try:
            yield step
            failed = False
        finally:
            self.emit(
                StepFinished(
                    step=name,
                    seconds=time.monotonic() - started,
                    text=step.text,
                    cached=step.cached,
                    failed=failed,
                    way=step.way,
                )
            )
