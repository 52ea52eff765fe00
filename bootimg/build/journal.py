"""The journal of a build: one line for every step that began or ended, durable before the next.

It tells whoever looks at an interrupted build how far it came.  A run that resumes does not trust
it: what a step made is found by its content key, and appears by rename or not at all.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

NAME = ".bootimg-journal.ndjson"


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
        with self.path.open("ab+") as handle:
            # A line that a crash cut short shall not take this one with it.
            if handle.tell():
                handle.seek(-1, os.SEEK_END)
                if handle.read(1) != b"\n":
                    handle.write(b"\n")
            handle.write(json.dumps(line).encode() + b"\n")
            handle.flush()
            os.fsync(handle.fileno())

    @contextmanager
    def step(self, name: str, **facts: object) -> Iterator[None]:
        """Record that a step began and, unless an error leaves the body, that it is done."""
        self.record(name, "begun", **facts)
        yield
        self.record(name, "done")

    def records(self) -> list[dict[str, Any]]:
        """What was recorded so far; a line that a crash cut short is left out."""
        if not self.path.exists():
            return []
        found = []
        for line in self.path.read_bytes().splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
        return found

    def interrupted(self) -> str | None:
        """The step that was running when an earlier run was cut off, if one was."""
        records = self.records()
        if records and records[-1]["state"] == "begun":
            return str(records[-1]["step"])
        return None
