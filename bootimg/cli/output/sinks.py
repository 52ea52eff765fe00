"""Event sinks: live bars on a terminal, plain lines in a log, NDJSON for machines."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from typing import IO, Any

from bootimg.cli.output.amounts import amount, clock, step_label
from bootimg.errors import BootimgError, ExitCode
from bootimg.events import Event, Events, Message, Sink, StepFinished, StepProgress, StepStarted
from bootimg.printable import printable

MAX_LINE = 4096
"""Bytes of an NDJSON line, its newline included; consumers break on long lines."""

_NAMES = {StepStarted: "step-started", StepProgress: "step-progress", StepFinished: "step-finished",
          Message: "message"}  # fmt: skip
_LEVELS = {"debug": 0, "info": 1, "warning": 2}


@contextmanager
def open_events(
    *, machine: bool, fd: int | None, quiet: bool, verbose: int, color: bool | None, plain: bool = False
) -> Iterator[Events]:
    """The events of one verb with the sinks that its options choose.

    `plain` forces plain lines on a terminal too.  With NDJSON on its own descriptor, stderr has the output
    for people; with NDJSON on stderr, stderr has nothing else.  A `BootimgError` that leaves the body is also
    an `error` event.
    """
    level = "warning" if quiet else "debug" if verbose else "info"
    with _machine_stream(fd) if machine else nullcontext() as stream:
        lines = NdjsonSink(stream) if stream else None
        with _people(level, color, plain) if fd not in (None, 2) or not machine else nullcontext() as people:
            try:
                yield Events([sink for sink in (lines, people) if sink])
            except BootimgError as error:
                if lines:
                    lines.error(error)
                raise
            except KeyboardInterrupt:
                if lines:
                    lines.interrupted()
                raise


@contextmanager
def _machine_stream(fd: int | None) -> Iterator[IO[str]]:
    if fd in (None, 2):
        yield sys.stderr
        return
    try:
        os.fstat(fd)
        stream = os.fdopen(os.dup(fd), "w", encoding="utf-8")
    except OSError as error:
        raise BootimgError(
            "events-fd-unusable",
            f"file descriptor {fd} cannot be written to: {error.strerror}",
            hint=f"open it for the program, as in `bootimg … --events-fd {fd} {fd}>events.ndjson`",
            exit_code=ExitCode.USAGE,
        ) from None
    with stream:
        yield stream


@contextmanager
def _people(level: str, color: bool | None, plain: bool) -> Iterator[Sink]:
    if plain or level == "warning" or not _is_live():
        yield PlainSink(sys.stderr, level)
        return
    from bootimg.cli.output.bars import live_bars

    with live_bars(level == "debug", color) as bars:
        yield bars


def _is_live() -> bool:
    """Whether stderr is a terminal that can redraw lines."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb" and not os.environ.get("CI")


@dataclass
class PlainSink:
    """One line per event, each with the time since the start; progress at most every `every` seconds."""

    stream: IO[str]
    level: str = "info"
    every: float = 15.0
    _start: float = field(default_factory=time.monotonic)
    _started: dict[str, StepStarted] = field(default_factory=dict)
    _next: dict[str, float] = field(default_factory=dict)

    def __call__(self, event: Event) -> None:
        """Write the event's line, if the level shows it."""
        text = self._line(event)
        if text is not None:
            self.stream.write(f"{clock(time.monotonic() - self._start):>8}  {printable(text)}\n")
            self.stream.flush()

    def _line(self, event: Event) -> str | None:
        if isinstance(event, Message):
            before = f"{event.arch}: " if event.arch else ""
            before += "warning: " if event.level == "warning" else ""
            return before + event.text if _LEVELS[event.level] >= _LEVELS[self.level] else None
        if self.level == "warning":
            return None
        if isinstance(event, StepStarted):
            self._started[event.step] = event
            self._next[event.step] = time.monotonic() + self.every
            return f"{step_label(event)} {event.title} …"
        if isinstance(event, StepProgress):
            return self._progress(event)
        self._started.pop(event.step, None)
        how = "failed" if event.failed else "cached" if event.cached else "done"
        return f"{step_label(event)} {how} in {clock(event.seconds)}  {event.text}".rstrip()

    def _progress(self, event: StepProgress) -> str | None:
        now, started = time.monotonic(), self._started.get(event.step)
        if started is None or now < self._next[event.step]:
            return None
        self._next[event.step] = now + self.every
        return f"{step_label(event)} {amount(event.done, event.total, started.unit)}"


@dataclass
class NdjsonSink:
    """One JSON object a line: `event`, `elapsed` in seconds, and the fields of the event.

    When the reader closes the pipe, the output ends but the work continues.
    """

    stream: IO[str]
    _start: float = field(default_factory=time.monotonic)
    _gone: bool = False

    def __call__(self, event: Event) -> None:
        """Write one event."""
        fields = asdict(event)
        if event.arch is None:
            del fields["arch"]
        self._write(_NAMES[type(event)], fields)

    def error(self, error: BootimgError) -> None:
        """Write the error that ended the verb."""
        self._write("error", error.as_dict())

    def interrupted(self) -> None:
        """Write that a person or a pipeline stopped the verb."""
        self._write("interrupted", {})

    def _write(self, name: str, fields: dict[str, Any]) -> None:
        if self._gone:
            return
        elapsed = round(time.monotonic() - self._start, 3)
        try:
            self.stream.write(bounded_line({"event": name, "elapsed": elapsed, **fields}))
            self.stream.flush()
        except BrokenPipeError:
            self._gone = True


def bounded_line(document: dict[str, Any]) -> str:
    """The document as one line of at most MAX_LINE bytes; the longest texts are cut with an ellipsis."""
    limit = MAX_LINE
    while True:
        line = json.dumps(_cut(document, limit), separators=(",", ":")) + "\n"
        if len(line) <= MAX_LINE:
            return line
        limit //= 2


def _cut(value: Any, limit: int) -> Any:  # noqa: ANN401
    if isinstance(value, str):
        return value if len(value) <= limit else value[: max(limit - 1, 0)] + "…"
    if isinstance(value, list):
        return [_cut(item, limit) for item in value[: max(limit // 8, 1)]]
    return {key: _cut(item, limit) for key, item in value.items()} if isinstance(value, dict) else value
