"""Saying what is being made, on stderr."""

from __future__ import annotations

import time

from tests.layer.debian import say


class timed:
    """Say what is being made, and how long it took."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        self._started = time.monotonic()
        say(f"making: {self._what}")

    def __exit__(self, *exc: object) -> None:
        if exc[0] is None:
            say(f"made in {time.monotonic() - self._started:.0f} s")
