"""Waiting for what a program says or does, never for a time to pass."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import pytest

from tests.cluster.machine.space import Space

Found = TypeVar("Found")
PATIENCE = 900.0
"""Seconds after which waiting is given up: many times what a loaded machine needs."""


def wait_for(
    what: str,
    look: Callable[[], Found | None],
    space: Space,
    *,
    every: float = 0.3,
    patience: float = PATIENCE,
) -> Found:
    """The first true result of `look`; fails if a program of the cluster ends meanwhile."""
    last = time.monotonic() + patience
    while not (found := look()):
        space.check_alive()
        if time.monotonic() > last:
            pytest.fail(f"waited {patience:.0f} s for {what}")
        time.sleep(every)
    return found
