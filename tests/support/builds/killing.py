"""Work in a process that is killed before one of its writes."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Mapping
from typing import Any

WRITES = {"os.rename", "os.link", "os.remove", "os.rmdir", "os.symlink", "os.mkdir", "os.truncate"}
_DEADLINE = 300.0


def killed_before_write(number: int, work: Callable[..., object], *arguments: object) -> bool:
    """Run the work in a process that is killed before its write `number`; whether it got that far.

    The process is a fork of one that has no threads: a fork of this one would have the locks that its threads
    hold just then.  It gets the environment; work and arguments are pickled.
    """
    context = multiprocessing.get_context("forkserver")
    # Each process would import them anew.
    context.set_forkserver_preload(["pytest", work.__module__])
    child = context.Process(target=_watched, args=(number, dict(os.environ), work, arguments))
    child.start()
    child.join(_DEADLINE)
    assert child.exitcode in (0, -signal.SIGKILL)
    return child.exitcode == -signal.SIGKILL


def _watched(
    number: int, environment: Mapping[str, str], work: Callable[..., object], arguments: tuple[object, ...]
) -> None:
    os.environ.clear()
    os.environ.update(environment)
    seen = 0

    def watch(event: str, words: tuple[Any, ...]) -> None:
        nonlocal seen
        opened = event == "open" and isinstance(words[2], int) and words[2] & (os.O_WRONLY | os.O_RDWR)
        if event in WRITES or opened:
            if seen == number:
                os.kill(os.getpid(), signal.SIGKILL)
            seen += 1

    sys.addaudithook(watch)
    work(*arguments)
    # What is written at the end of a process is none of the work's.
    os._exit(0)
