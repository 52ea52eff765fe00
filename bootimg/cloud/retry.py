"""The one layer that repeats calls to clouds: exponential backoff with jitter, within a budget of time."""

from __future__ import annotations

import email.utils
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from bootimg.errors import BootimgError
from bootimg.events import Events
from bootimg.jobs import Stop

Value = TypeVar("Value")
BUDGET = 600.0
_FIRST, _LONGEST = 0.5, 30.0
_WORTH_SAYING = 5.0
# Longer waits are not believed: a server or a proxy may say anything.
_LONGEST_WISH = 300.0


class TransientError(Exception):
    """A failure that may pass.  `after` is how many seconds the server asks to wait."""

    def __init__(self, why: str, after: float = 0.0) -> None:
        super().__init__(why)
        self.after = after


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Repeats a call that fails with `TransientError`, for `budget` seconds after its first failure.

    The waits double from half a second to half a minute, with jitter, and are never shorter than the server
    asks for.
    """

    budget: float = BUDGET
    events: Events = field(default_factory=Events)
    stop: Stop = field(default_factory=Stop)

    def call(self, what: str, work: Callable[[], Value]) -> Value:
        """The result of `work`; `cloud-unavailable` if the budget is used up.  `what` names the call."""
        began, pause = None, _FIRST
        while True:
            self.stop.check()
            try:
                return work()
            except TransientError as error:
                now = time.monotonic()
                began = began or now
                # Jitter spreads the workers that a server has told to slow down at the same moment.
                wait = max(error.after, random.uniform(pause / 2, pause))
                if now + wait > began + self.budget:
                    raise _unavailable(what, str(error), now - began) from None
                self._tell(what, str(error), wait)
            self.stop.wait(wait)
            pause = min(2 * pause, _LONGEST)

    def wait_for(
        self, what: str, check: Callable[[], Value | None], *, every: float, longest: float
    ) -> Value:
        """The first result of `check` that is not None; `cloud-timeout` after `longest` seconds."""
        deadline = time.monotonic() + longest
        # The first looks follow quickly: much is done at once.
        pause = min(0.5, every)
        while (found := check()) is None:
            if time.monotonic() + pause > deadline:
                raise BootimgError(
                    "cloud-timeout",
                    f"{what} did not end within {longest / 60:.0f} minutes",
                    hint="run the same command again: it looks at what the cloud has done meanwhile",
                )
            self.stop.wait(pause)
            pause = min(2 * pause, every)
        return found

    def _tell(self, what: str, why: str, wait: float) -> None:
        text = f"{what}: {why}; trying again in {wait:.0f} s"
        self.events.message(text, "info" if wait >= _WORTH_SAYING else "debug")


def wait_of(retry_after: str) -> float:
    """The seconds that a Retry-After header asks for, as a number or a date; 0 if it says neither."""
    if retry_after.isascii() and retry_after.isdigit():
        seconds = float(retry_after[:9])
    else:
        try:
            seconds = email.utils.parsedate_to_datetime(retry_after).timestamp() - time.time()
        except (ValueError, OverflowError):
            seconds = 0.0
    return min(max(seconds, 0.0), _LONGEST_WISH)


def _unavailable(what: str, why: str, seconds: float) -> BootimgError:
    return BootimgError(
        "cloud-unavailable",
        f"{what} failed again and again for {seconds:.0f} s",
        context=[why],
        hint="run the same command later: it continues where it stopped; --retry-for sets how long it tries",
    )
