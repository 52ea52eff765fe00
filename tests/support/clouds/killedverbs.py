"""Verbs of the clouds in a process that is killed after one of its journal's records."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from bootimg.recordlog import Appender

_DEADLINE = 300.0


def killed_after_record(
    number: int, settings: Mapping[str, object], work: Callable[..., object], *arguments: object
) -> bool:
    """Run the work in a process that is killed when record `number` is durable; whether it got that far.

    The process is a new one: a fork would have the locks that the tests' own servers hold just then.  It gets
    the environment, and `settings` by their full names; work and arguments are pickled.
    """
    words = (number, settings, work, arguments)
    child = multiprocessing.get_context("spawn").Process(target=_counting, args=words)
    child.start()
    child.join(_DEADLINE)
    assert child.exitcode in (0, -signal.SIGKILL)
    return child.exitcode == -signal.SIGKILL


def _counting(
    number: int, settings: Mapping[str, object], work: Callable[..., object], arguments: tuple[object, ...]
) -> None:
    for name, value in settings.items():
        module, _, attribute = name.rpartition(".")
        setattr(import_module(module), attribute, value)
    append, written = Appender.append, 0

    def counted(self: Appender, record: Mapping[str, Any]) -> None:
        nonlocal written
        append(self, record)
        written += 1
        if written == number:
            os.kill(os.getpid(), signal.SIGKILL)

    Appender.append = counted  # type: ignore[method-assign]
    work(*arguments)
