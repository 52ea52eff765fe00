"""Runs programs on untrusted data, with bounds on their memory, their time and what they write.

C code that reads what others wrote runs like this: programs such as debugfs and unsquashfs, and the
libraries sqlite, libselinux and libostree in processes of their own.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile

from bootimg import process
from bootimg.sizes import GIB, MIB
from bootimg.untrusted.budget import Budget

_MESSAGES = MIB
_ENDED = os.WEXITED | os.WNOWAIT | os.WNOHANG
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
    budget: Budget | None = None,
) -> process.Completed:
    """Run a program whose standard output goes to a file; `OverLimitError`, `program-missing`.

    A program that finds no memory fails by itself.  With a budget, all programs that read an image share its
    CPU time: `image-over-budget`.
    """
    whole = limits
    if budget is not None:
        limits = replace(limits, seconds=min(limits.seconds, budget.left))
    with output.open("wb") as out, TemporaryFile(dir=output.parent) as err:
        words = [*limits.words(), *argv]
        with process.spawn(words, stdout=out, stderr=err, cwd=cwd, env=env, tied=True) as child:
            used = _used_to_its_end(child, limits.deadline)
            code = child.wait()
        if budget is not None:
            # A second that was left of the image's time may have been less.
            cut = code == -signal.SIGXCPU and limits.seconds < whole.seconds
            budget.spend(used + cut, Path(argv[0]).name)
        if reason := limits.reason(code):
            raise OverLimitError(reason)
        err.seek(0)
        return process.Completed(tuple(map(str, argv)), code, b"", err.read(_MESSAGES))


def read_limited(
    argv: Sequence[process.Argument],
    scratch: Path,
    limits: ProcessLimits,
    *,
    cwd: Path | None = None,
    budget: Budget | None = None,
) -> process.Completed:
    """`run_limited` with the output in memory, after a temporary file in the folder `scratch`."""
    with TemporaryDirectory(prefix="output-", dir=scratch) as folder:
        output = Path(folder) / "output"
        done = run_limited(argv, output, limits, cwd=cwd, budget=budget)
        return replace(done, stdout=output.read_bytes())


def _used_to_its_end(child: subprocess.Popen[bytes], deadline: float) -> float:
    """Wait for a program's end without taking its exit code; returns the seconds of CPU that it took."""
    end, pause = time.monotonic() + deadline, 0.0005
    while os.waitid(os.P_PID, child.pid, _ENDED) is None:
        if time.monotonic() > end:
            raise OverLimitError(f"it takes more than {deadline:.0f} s")
        time.sleep(pause)
        pause = min(2 * pause, 0.05)
    # Behind the name, which may have blanks: state, 10 numbers, then ticks of the user and of the system.
    ticks = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[11:15]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


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
