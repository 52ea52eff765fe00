"""Times, amounts and names of steps as people read them."""

from __future__ import annotations

from bootimg.events import StepFinished, StepProgress, StepStarted
from bootimg.sizes import format_size

STEP_WIDTH, ARCH_WIDTH = 14, 8


def step_label(event: StepStarted | StepProgress | StepFinished) -> str:
    """The name of a step, padded; before it the architecture, if events of several are shown."""
    arch = f"{event.arch:<{ARCH_WIDTH}}" if event.arch else ""
    return f"{arch}{event.step:<{STEP_WIDTH}}"


def clock(seconds: float) -> str:
    """A time: 0:07, 12:34, 1:02:03."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def amount(done: int, total: int | None, unit: str) -> str:
    """The progress of a step: `71 %  1.2 GiB`, `14651 objects`."""
    text = format_size(done) if unit == "bytes" else f"{done} {unit}"
    return f"{100 * done // total} %  {text}" if total else text
