"""The journal of a build: one line for every step that began or ended, durable before the next.

It shows how far an interrupted build came.  A resumed run does not trust it: it finds a step's result
by its content key, and results appear by rename or not at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bootimg.errors import BootimgError
from bootimg.recordlog import RecordLog

NAME = ".bootimg-journal.ndjson"
RUN = "build"
"""The step that stands for a whole run; its first record has the run's parameters."""


@dataclass(frozen=True, slots=True)
class Journal:
    """The journal file of one build of one architecture."""

    path: Path

    def record(self, step: str, state: str, **facts: object) -> None:
        """Append one record and make it durable."""
        RecordLog(self.path).append({"step": step, "state": state, **facts})

    @contextmanager
    def step(self, name: str, **facts: object) -> Iterator[None]:
        """Record that a step began, and that it is done or, after an error with an id, failed."""
        self.record(name, "begun", **facts)
        try:
            yield
        except BootimgError as error:
            self.record(name, "failed", error=error.id)
            raise
        self.record(name, "done")

    def records(self) -> list[dict[str, Any]]:
        """The records so far; a line that a crash cut short, or that is not a record, is left out."""
        return RecordLog(self.path).records()

    def interrupted(self) -> str | None:
        """The step that was running when the last run was interrupted, or None; the newest of several."""
        open_steps: dict[str, None] = {}
        for record in self.records():
            step, state = str(record["step"]), record["state"]
            if step == RUN and state == "begun":
                open_steps = {}
            elif state == "begun":
                # Begun once more, it is the newest.
                open_steps.pop(step, None)
                open_steps[step] = None
            else:
                open_steps.pop(step, None)
        return next(reversed(open_steps), None)

    def failed(self) -> tuple[str, ...]:
        """The steps whose last end was a failure, in the order in which they failed."""
        states: dict[str, str] = {}
        for record in self.records():
            if record["state"] in ("failed", "done"):
                states.pop(record["step"], None)
                states[str(record["step"])] = record["state"]
        return tuple(step for step, state in states.items() if state == "failed")

    def last(self, step: str, state: str) -> Mapping[str, Any]:
        """The newest record of a step in a state; empty if there is none."""
        found = [each for each in self.records() if (each["step"], each["state"]) == (step, state)]
        return found[-1] if found else {}
