"""The table of the stages' times, processors and memory that the tier prints at its end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from bootimg.sizes import MIB
from tests.cluster.kubernetes.client import Json
from tests.cluster.machine.containers import Usage
from tests.cluster.runs import Run


@dataclass(frozen=True)
class Row:
    """A step of a stage; times in seconds, of the clock and of processors, and memory in bytes."""

    what: str
    stage: str
    step: str
    seconds: float
    processor: float | None
    memory: int | None


@dataclass
class Measured:
    """All that the tests of a session measured."""

    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, what: str, run: Run, usage: Usage) -> None:
        """The stages of a run that has ended."""
        for stage, task_runs in run.stages().items():
            for each in task_runs:
                self.rows += _rows(what, stage, each, usage)

    def lines(self) -> Iterator[str]:
        """The table, and single measurements."""
        if self.rows:
            yield (f"{'run':24} {'stage':10} {'step':12} {'times':>5} "
                   f"{'longest, s':>10} {'CPU, s':>7} {'memory, MiB':>11}")  # fmt: skip
        for key in dict.fromkeys((row.what, row.stage, row.step) for row in self.rows):
            found = [row for row in self.rows if (row.what, row.stage, row.step) == key]
            used = [row.memory for row in found if row.memory is not None]
            most = f"{max(used) / MIB:11.0f}" if used else f"{'-':>11}"
            worked = [row.processor for row in found if row.processor is not None]
            processor = f"{max(worked):7.1f}" if worked else f"{'-':>7}"
            longest = max(row.seconds for row in found)
            yield f"{key[0]:24} {key[1]:10} {key[2]:12} {len(found):5} {longest:10.0f} {processor} {most}"
        yield from self.notes


def _rows(what: str, stage: str, task_run: Json, usage: Usage) -> Iterator[Row]:
    state = task_run["status"]
    yield Row(what, stage, "whole", seconds_between(state["startTime"], state["completionTime"]), None, None)
    for step in state.get("steps", []):
        ended = step.get("terminated")
        if ended and ended.get("startedAt"):
            container = ended.get("containerID", "").removeprefix("containerd://")
            yield Row(
                what, stage, step["name"], seconds_between(ended["startedAt"], ended["finishedAt"]),
                usage.processor.get(container), usage.memory.get(container),
            )  # fmt: skip


def seconds_between(start: str, end: str) -> float:
    """The seconds between two times as Kubernetes writes them."""
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
