"""Processes of bootimg with modules that are imported once for all: SDKs take seconds to import.

They are real processes that may be killed.  `python -m tests.support.clouds.preloaded MODULE…` forks them;
it has no threads, and takes requests in JSON on its standard input.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from bootimg.cloud.journal import Journal

_OURS = ("bootimg.__main__", "bootimg.cli.commands.clouds.upload", "bootimg.orchestrator.uploading.run",
         "bootimg.streams.pipeline.config")  # fmt: skip
_DEADLINE = 120.0


@dataclass
class Preloaded:
    """The process that has imported the modules."""

    process: subprocess.Popen[str]

    def start(
        self,
        argv: Sequence[str],
        output: Path,
        *,
        records: int = 0,
        environment: Mapping[str, str] | None = None,
    ) -> int:
        """The id of a process of bootimg with the test's environment, which writes to the file `output`.

        `environment` is added to the test's.  The process kills itself (SIGKILL) after it has written
        `records` records of a journal of uploads.
        """
        variables = {**os.environ, **(environment or {})}
        words = {"argv": argv, "environment": variables, "output": str(output), "records": records}
        return int(self._ask(words))

    def wait(self, pid: int) -> int:
        """The exit code of a process; minus a signal's number if that ended it."""
        return int(self._ask({"wait": pid}))

    def _ask(self, request: dict[str, Any]) -> str:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline()


@contextmanager
def preloaded(*modules: str, library: Path | None = None) -> Iterator[Preloaded]:
    """A process that has imported the modules, and is ended afterwards.

    The library is loaded before all others.  It can be that of `tests.support.faults`.
    """
    argv = [sys.executable, "-m", __name__, *_OURS, *modules]
    env = {**os.environ, **({"LD_PRELOAD": str(library)} if library else {})}
    with subprocess.Popen(argv, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Preloaded(process)
        assert process.stdin
        process.stdin.close()


def _serve() -> None:
    for name in sys.argv[1:]:
        importlib.import_module(name)
    for line in sys.stdin:
        request = json.loads(line)
        answer = _waited(request["wait"]) if "wait" in request else _forked(request)
        print(answer, flush=True)


def _waited(pid: int) -> int:
    deadline = time.monotonic() + _DEADLINE
    while True:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def _forked(request: dict[str, Any]) -> int:
    pid = os.fork()
    if pid == 0:
        _run(request)
    return pid


def _run(request: dict[str, Any]) -> NoReturn:
    os.environ.clear()
    os.environ.update(request["environment"])
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    fd = os.open(request["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for each in (1, 2):
        os.dup2(fd, each)
    if "FAULT_CALL" in os.environ:
        ctypes.CDLL(None).fault_begin()
    if request["records"]:
        Journal.note = _killing(Journal.note, request["records"])  # type: ignore[method-assign]
    from bootimg.__main__ import main

    code = 70
    try:
        code = main(request["argv"])
    except BaseException:  # noqa: BLE001 (os._exit would leave it unsaid)
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _killing(note: Callable[..., None], records: int) -> Callable[..., None]:
    seen = 0

    def changed(*words: object, **facts: object) -> None:
        nonlocal seen
        note(*words, **facts)
        seen += 1
        if seen == records:
            os.kill(os.getpid(), signal.SIGKILL)

    return changed


if __name__ == "__main__":
    _serve()
