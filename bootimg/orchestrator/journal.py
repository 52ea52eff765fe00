"""The journal of a build: one line for every step that began or ended, durable before the next.

It shows how far an interrupted build came.  A resumed run does not trust it: it finds a step's result
by its content key, and results appear by rename or not at all.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bootimg.atomic import Opening, open_own
from bootimg.errors import BootimgError
from bootimg.untrusted.jsonfile import parse_object
from bootimg.untrusted.tree import Malformed

NAME = ".bootimg-journal.ndjson"
RUN = "build"
"""The step that stands for a whole run; its first record has the run's parameters."""


@dataclass(frozen=True, slots=True)
class Journal:
    """The journal file of one build of one architecture."""

    path: Path

    def record(self, step: str, state: str, **facts: object) -> None:
        """Append one record and make it durable."""
        line = {
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "step": step,
            "state": state,
            **facts,
        }
        with open_own(self.path, Opening.APPEND) as handle:
            # Artifacts are made side by side.
            fcntl.flock(handle, fcntl.LOCK_EX)
            handle.seek(0, os.SEEK_END)
            # A line that a crash cut short must not spoil this one.
            if handle.tell():
                handle.seek(-1, os.SEEK_END)
                if handle.read(1) != b"\n":
                    handle.write(b"\n")
            handle.write(json.dumps(line).encode() + b"\n")
            handle.flush()
            os.fsync(handle.fileno())

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
        if not self.path.exists():
            return []
        lines = map(_parsed, self.path.read_bytes().splitlines())
        return [each for each in lines if each is not None]

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


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        record = parse_object(line)
        record.required("step", str)
        record.required("state", str)
    except Malformed:
        return None
    return record.values
