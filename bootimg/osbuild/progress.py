"""Shows osbuild's pipelines as bootimg's steps, with the finished stages as progress."""

from __future__ import annotations

from contextlib import ExitStack
from types import TracebackType
from typing import Self

from bootimg.events import Events, Step
from bootimg.osbuild.monitor import Record, Result


class OsbuildProgress:
    """Follows the monitor's records; a context manager that ends the last step, also after a failure."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._stack = ExitStack()
        self._step: Step | None = None
        self._stage = ""
        self.pipeline = ""
        self.failed: Result | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def take(self, record: Record) -> None:
        """Begin the step of the record's pipeline if it is not running, and advance it."""
        if record.pipeline and record.pipeline != self.pipeline:
            self._begin(record)
        if record.stage and record.stage != self._stage and not record.is_source:
            self._stage = record.stage
            self._events.message(f"osbuild: {record.pipeline}: {record.stage}", "debug")
        # After its last stage a pipeline's count is not sent again.
        if self._step and record.done > self._step.done:
            self._step.advance(record.done - self._step.done)
        if record.result and not record.result.success:
            self.failed = self.failed or record.result

    def _begin(self, record: Record) -> None:
        self._stack.close()
        self.pipeline, self._stage = record.pipeline, ""
        name = record.pipeline.rpartition(" ")[2]
        total = record.total or None
        self._step = self._stack.enter_context(
            self._events.step(f"osbuild-{name}", record.pipeline, total=total, unit="stages")
        )
