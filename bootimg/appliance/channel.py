"""The worker process, and the JSON lines sent to it and received from it.

The worker leads its own process group, to which QEMU belongs too, so killing the group ends both.  If this
process is killed (kill -9), the worker sees the end of its stdin and kills the group.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from bootimg import process
from bootimg.appliance.worker import socket_folders
from bootimg.atomic import Opening, open_own

WORKER = Path(__file__).with_name("worker.py")
LOOK = 2.0
PASSED = ("LIBGUESTFS_PATH", "LIBGUESTFS_HV")


class WorkerTimeoutError(Exception):
    """No answer before the deadline."""


class WorkerGoneError(Exception):
    """The worker ended without an answer."""


class Channel:
    """A running worker; `kill` ends it and all that it started, in any state."""

    def __init__(self, python: Path, scratch: Path, log: Path, environment: Mapping[str, str]) -> None:
        self._resources = ExitStack()
        self._buffer = b""
        passed = {name: os.environ[name] for name in PASSED if name in os.environ}
        try:
            stderr = self._resources.enter_context(open_own(log, Opening.APPEND))
            self._child: subprocess.Popen[bytes] = self._resources.enter_context(
                process.spawn(
                    [python, "-I", WORKER, scratch],
                    stdin=subprocess.PIPE,
                    stderr=stderr,
                    env={**passed, **environment},
                )
            )
        except BaseException:
            self._resources.close()
            raise

    def call(
        self,
        name: str,
        timeout: float,
        meanwhile: Callable[[], None] = lambda: None,
        **arguments: Any,  # noqa: ANN401
    ) -> dict[str, Any]:
        """Send one request and wait at most `timeout` seconds for its answer.

        `meanwhile` is called every `LOOK` seconds; an exception from it ends the wait.
        """
        assert self._child.stdin
        line = json.dumps({"call": name, **arguments}) + "\n"
        try:
            self._child.stdin.write(line.encode())
            self._child.stdin.flush()
        except BrokenPipeError:
            raise WorkerGoneError from None
        answer = json.loads(self._read_line(time.monotonic() + timeout, meanwhile))
        assert isinstance(answer, dict)
        return answer

    def _read_line(self, deadline: float, meanwhile: Callable[[], None]) -> bytes:
        assert self._child.stdout
        descriptor = self._child.stdout.fileno()
        while b"\n" not in self._buffer:
            left = max(0.0, deadline - time.monotonic())
            # The children of a crashed worker keep its stdout open, so there is no end of file.
            ended = self._child.poll() is not None
            ready, _, _ = select.select([descriptor], [], [], min(left, LOOK))
            if not ready:
                if ended:
                    raise WorkerGoneError
                if left <= LOOK:
                    raise WorkerTimeoutError
                meanwhile()
                continue
            data = os.read(descriptor, 65536)
            if not data:
                raise WorkerGoneError
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def kill(self) -> None:
        """Kill the worker's process group and wait until all its processes have ended."""
        group = self._child.pid
        folders = socket_folders(group)
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
        self._child.wait()
        # QEMU is not a child of this process, and a kill takes a moment.
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline and _group_runs(group):
            time.sleep(0.02)
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
        self._resources.close()


def _group_runs(group: int) -> bool:
    """Whether a process of the group still runs; zombies do not count (proc_pid_stat(5))."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, its_group, *_ = stat.read_text(errors="replace").rpartition(")")[2].split()
        except (OSError, ValueError):
            continue
        if int(its_group) == group and state not in "ZX":
            return True
    return False
