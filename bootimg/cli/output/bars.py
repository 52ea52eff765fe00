"""Live bars on a terminal: one line per running step, and a permanent line for each finished step."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TaskID, TextColumn
from rich.text import Text

from bootimg.cli.output.amounts import STEP_WIDTH, amount, clock, step_label
from bootimg.events import Event, Message, StepFinished, StepProgress, StepStarted
from bootimg.printable import printable
from bootimg.sizes import format_size

_AROUND, _WIDEST = 27, 113
"""Columns of a finished step's line beside its text, and of the longest line."""


class AmountColumn(ProgressColumn):
    """The progress of the step, in its own unit."""

    def render(self, task: Task) -> Text:
        """The percentage and the amount."""
        total = int(task.total) if task.total else None
        return Text(amount(int(task.completed), total, task.fields["unit"]) if task.completed else "")


class RateColumn(ProgressColumn):
    """The speed of the step."""

    def render(self, task: Task) -> Text:
        """Bytes per second, or the step's own unit per second."""
        if not task.speed:
            return Text("")
        unit = task.fields["unit"]
        return Text(f"{format_size(int(task.speed))}/s" if unit == "bytes" else f"{task.speed:.0f} {unit}/s")


class TimeColumn(ProgressColumn):
    """The remaining time if it is known, else the time so far."""

    def render(self, task: Task) -> Text:
        """`0:12 left` or `0:03`."""
        if task.time_remaining:
            return Text(f"{clock(task.time_remaining)} left")
        return Text(clock(task.elapsed or 0.0))


@dataclass
class Bars:
    """The event sink for a terminal; it draws only while a step runs, so verbs may use it in between."""

    progress: Progress
    debug: bool
    _tasks: dict[str, TaskID] = field(default_factory=dict)

    def __call__(self, event: Event) -> None:
        """Draw one event."""
        if isinstance(event, StepStarted):
            self._begin(event)
        elif isinstance(event, StepProgress) and event.step in self._tasks:
            self.progress.update(self._tasks[event.step], completed=event.done, total=event.total)
        elif isinstance(event, StepFinished):
            self._end(event)
        elif isinstance(event, Message):
            self._say(event)

    def close(self) -> None:
        """Leave the terminal as it was."""
        self.progress.stop()

    def _begin(self, event: StepStarted) -> None:
        if not self._tasks:
            self.progress.start()
        self._tasks[event.step] = self.progress.add_task(
            escape(printable(event.title)), total=event.total, step=step_label(event), unit=event.unit
        )

    def _end(self, event: StepFinished) -> None:
        task = self._tasks.pop(event.step, None)
        if task is not None:
            self.progress.remove_task(task)
        mark = "[red]✘[/]" if event.failed else "[cyan]=[/]" if event.cached else "[green]✔[/]"
        text = printable("failed" if event.failed and not event.text else event.text)
        console = self.progress.console
        label = step_label(event)
        room = max(min(console.width, _WIDEST) - _AROUND - (len(label) - STEP_WIDTH), 1)
        text = text if cell_len(text) <= room else f"{set_cell_size(text, room - 1)}…"
        space = " " * (room - cell_len(text))
        console.print(f"{mark} {label} {escape(text)}{space} {clock(event.seconds):>8}", highlight=False)
        if not self._tasks:
            self.progress.stop()

    def _say(self, event: Message) -> None:
        if event.level == "debug" and not self.debug:
            return
        prefix = f"{event.arch}: " if event.arch else ""
        prefix += "[yellow]warning:[/] " if event.level == "warning" else ""
        self.progress.console.print(prefix + escape(printable(event.text)), highlight=False)


def bars_on(console: Console, *, debug: bool = False, time: Callable[[], float] | None = None) -> Bars:
    """Bars on a console; `time` replaces the console's clock."""
    progress = Progress(
        SpinnerColumn(),
        TextColumn("{task.fields[step]}"),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        AmountColumn(),
        RateColumn(),
        TimeColumn(),
        console=console,
        transient=True,
        get_time=time,
    )
    return Bars(progress, debug)


@contextmanager
def live_bars(debug: bool, color: bool | None) -> Iterator[Bars]:
    """Bars on stderr; they are removed when the body ends."""
    bars = bars_on(Console(file=sys.stderr, no_color=True if color is False else None), debug=debug)
    try:
        yield bars
    finally:
        bars.close()
