"""How long the steps took on this machine, so that a plan can estimate a build's time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bootimg.atomic import write_whole
from bootimg.cache import Cache
from bootimg.errors import BootimgError
from bootimg.events import Event, Events, StepFinished
from bootimg.vm.probe import known_accelerator


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds by step, separately for each accelerator, from the last build that ran the step."""

    cache: Cache
    accelerator: str

    def seconds(self, step: str) -> float | None:
        """The seconds that the step took last time, or None if it never ran here."""
        value = self._read().get(self._key(step))
        return float(value) if isinstance(value, int | float) else None

    def remember(self, seconds: Mapping[str, float]) -> None:
        """Store the seconds of steps that ran."""
        if not seconds:
            return
        self.cache.root.mkdir(parents=True, exist_ok=True)
        with self.cache.locked("timings"):
            known = self._read()
            known |= {self._key(step): round(value, 3) for step, value in seconds.items()}
            write_whole(self._path, json.dumps(known, indent=1, sort_keys=True).encode())

    @property
    def _path(self) -> Path:
        return self.cache.root / "timings.json"

    def _key(self, step: str) -> str:
        return f"{self.accelerator}/{step}"

    def _read(self) -> dict[str, object]:
        try:
            return dict(json.loads(self._path.read_bytes()))
        except (FileNotFoundError, TypeError, ValueError):
            return {}


@dataclass(frozen=True, slots=True)
class StepTimes:
    """An event sink that notes the seconds of every step that finished its work."""

    seconds: dict[str, float] = field(default_factory=dict)

    def __call__(self, event: Event) -> None:
        """Receive one event."""
        if isinstance(event, StepFinished) and not (event.cached or event.failed):
            self.seconds[timed_step(event.step, event.way)] = event.seconds


def timed_step(step: str, way: str) -> str:
    """The name under which a step's time is kept: separately for each way in which it can be done."""
    return f"{step}-{way}" if way else step


@contextmanager
def timing(cache: Cache, choice: str, events: Events) -> Iterator[Events]:
    """Events like `events` for one build; the times of its steps are stored, however it ends."""
    times = StepTimes()
    try:
        yield Events([*events.sinks, times])
    finally:
        if times.seconds:
            Timings(cache, timed_as(choice, cache)).remember(times.seconds)


def timed_as(choice: str, cache: Cache) -> str:
    """The accelerator under which times are kept; until KVM is tested, the slow one."""
    try:
        accelerator = known_accelerator(choice, cache)
    except BootimgError:
        # QEMU is missing, so the steps ran without an accelerator.
        return "tcg"
    return accelerator.name if accelerator else "tcg"
