"""Runs programs on untrusted data, with bounds on their memory, their time and what they write.

C code that reads what others wrote runs like this: programs such as debugfs and unsquashfs, and the
libraries sqlite, libselinux and libostree in processes of their own.
"""

from __future__ import annotations

import resource
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

from bootimg import process
from bootimg.sizes import GIB, MIB

_MESSAGES = MIB
_REASONS = {
    signal.SIGXCPU: "it takes more than {} s of processor time",
    signal.SIGXFSZ: "it writes more than {} bytes",
}


class OverLimitError(Exception):
    """A program met one of its limits; the text says which one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessLimits:
    """What a program may use; None is no limit.

    `memory` are bytes of address space, `data` bytes of it without mapped files.  `seconds` are of processor
    time.  After `deadline` seconds by the clock it is killed.  `written` are bytes of each file that it
    writes.  `files` may be open at once.
    """

    memory: int | None = GIB
    data: int | None = None
    seconds: int = 60
    written: int | None = 64 * MIB
    files: int = 256
    deadline: float = 240

    def words(self) -> list[str]:
        """The arguments to put before a program's own."""
        prlimit = process.require("prlimit", packages="util-linux")
        values = {
            "as": (resource.RLIMIT_AS, self.memory),
            "data": (resource.RLIMIT_DATA, self.data),
            "fsize": (resource.RLIMIT_FSIZE, self.written and max(self.written, _MESSAGES)),
            "nofile": (resource.RLIMIT_NOFILE, self.files),
            "core": (resource.RLIMIT_CORE, 0),
        }
        options = [
            f"--{name}={_allowed(kind, value)}" for name, (kind, value) in values.items() if value is not None
        ]
        # The kernel sends SIGXCPU at the first number and kills at the second.
        soft, hard = (_allowed(resource.RLIMIT_CPU, self.seconds + more) for more in (0, 1))
        return [str(prlimit), *options, f"--cpu={soft}:{hard}", "--"]

    def reason(self, code: int) -> str | None:
        """Which limit ended a program with this exit code, as far as the code says it."""
        value = {-signal.SIGXCPU: self.seconds, -signal.SIGXFSZ: self.written}.get(code)
        return None if value is None else _REASONS[signal.Signals(-code)].format(value)


def _allowed(kind: int, value: int) -> int:
    """The value, or this process's own limit where that is lower: nobody but root may raise it."""
    hard = resource.getrlimit(kind)[1]
    return value if hard == resource.RLIM_INFINITY else min(value, hard)


def run_limited(
    argv: Sequence[process.Argument],
    output: Path,
    limits: ProcessLimits,
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> process.Completed:
    """Run a program whose standard output goes to a file; `OverLimitError`, `program-missing`.

    A program that finds no memory fails by itself.
    """
    with output.open("wb") as out, TemporaryFile(dir=output.parent) as err:
        words = [*limits.words(), *argv]
        with process.spawn(words, stdout=out, stderr=err, cwd=cwd, env=env, tied=True) as child:
            try:
                code = child.wait(limits.deadline)
            except subprocess.TimeoutExpired:
                raise OverLimitError(f"it takes more than {limits.deadline:.0f} s") from None
        if reason := limits.reason(code):
            raise OverLimitError(reason)
        err.seek(0)
        return process.Completed(tuple(map(str, argv)), code, b"", err.read(_MESSAGES))


@contextmanager
def killed_after(child: subprocess.Popen[bytes], seconds: float) -> Iterator[None]:
    """Kill a running program if the body takes longer than `seconds`."""
    timer = threading.Timer(seconds, process.kill_group, (child, 0.1))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
