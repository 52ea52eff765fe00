"""A running guest: boots a machine, reads its console, types on the console, ends the machine."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from bootimg import process
from bootimg.errors import BootimgError
from bootimg.vm.console import Console
from bootimg.vm.machine import Machine
from bootimg.vm.qemu import Program, require_system

POLL = 0.1


class Guest:
    """A context manager: QEMU runs only while the body runs.

    The machine's console must be a log file.  Errors have its path and its last lines.  QEMU inherits the
    `descriptors`.
    """

    def __init__(
        self, machine: Machine, *, qemu: Program | None = None, descriptors: Sequence[int] = ()
    ) -> None:
        if machine.console == "stdio":
            raise ValueError("the console of a Guest is a log file")
        self.machine = machine
        self.log: Path = machine.console
        self.console = Console(self.log)
        self._qemu = qemu
        self._descriptors = tuple(descriptors)
        self._resources = ExitStack()
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        qemu = self._qemu or require_system(self.machine.arch)
        self.log.write_bytes(b"")
        with ExitStack() as stack:
            errors = stack.enter_context(self._error_log.open("wb"))
            self._child = stack.enter_context(
                process.spawn(
                    self.machine.argv(qemu.path),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=errors,
                    pass_fds=self._descriptors,
                    tied=True,
                )
            )
            self._resources = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        """Whether QEMU still runs."""
        return self._child is not None and self._child.poll() is None

    def wait_for(self, pattern: str, timeout: float) -> re.Match[str]:
        """Wait for the next text on the console that matches, after the previous match.

        `pattern` is a regular expression in multi-line mode, applied to text without colours.
        `guest-timeout` after `timeout` seconds; `guest-died` if QEMU ends or the system stands still before.
        """
        deadline = time.monotonic() + timeout
        while True:
            running = self.running  # checked first, so that output at its end is still read
            self.console.poll()
            if match := self.console.search(pattern):
                return match
            if not running:
                raise self._error_died(f"waited for {pattern!r}")
            self._check_system()
            if time.monotonic() > deadline:
                raise BootimgError(
                    "guest-timeout",
                    f"the guest did not write {pattern!r} within {timeout:.0f} s",
                    context=[f"console: {self.log}", *self.console.tail()],
                )
            time.sleep(POLL)

    def wait_off(self, timeout: float | None) -> None:
        """Wait until the guest has powered off; None waits for ever.

        `guest-timeout` after `timeout` seconds; `guest-died` if QEMU fails or the system stands still.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while self.running:
            self.console.poll()
            self._check_system()
            if deadline and time.monotonic() > deadline:
                raise BootimgError(
                    "guest-timeout",
                    f"the guest did not power off within {timeout} s",
                    context=[f"console: {self.log}", *self.console.tail()],
                )
            time.sleep(POLL)
        self.console.poll()
        assert self._child
        if code := self._child.wait():
            raise self._error_died(f"QEMU exited with {code}")

    def send(self, text: str) -> None:
        """Type on the console; a newline is the Enter key."""
        assert self._child and self._child.stdin
        try:
            self._child.stdin.write(text.encode())
            self._child.stdin.flush()
        except BrokenPipeError:
            raise self._error_died("typed on its console") from None

    def stop(self) -> None:
        """End the machine at once, like a power cut."""
        self._resources.close()
        self.console.poll()

    def check(self) -> None:
        """Raise `guest-died` if QEMU has ended."""
        if not self.running:
            self.console.poll()
            raise self._error_died("it should be running")

    def _check_system(self) -> None:
        if (why := self.console.standstill) is not None:
            raise self._error_died(why)

    @property
    def _error_log(self) -> Path:
        return self.log.with_name(self.log.name + ".qemu")

    def _error_died(self, what: str) -> BootimgError:
        errors = self._error_log.read_text(errors="replace").splitlines()[-4:]
        return BootimgError(
            "guest-died",
            "the virtual machine has ended",
            context=[what, *errors, f"console: {self.log}", *self.console.tail()],
        )
