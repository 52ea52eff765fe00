"""Peak memory of a program and all programs that it starts, without virtual machines."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

PROC = Path("/proc")
INTERVAL = 0.05
"""Seconds between two samples; a process that lives shorter may be missed."""
APART = "qemu-"


@dataclass
class Peak:
    """`together` is the largest sum, in bytes, of the peaks (VmHWM) of processes that lived at once.

    `programs` has the largest peak of each program by its name.  The sum is an upper bound: the
    processes need not have had their peaks at the same moment.
    """

    together: int = 0
    programs: dict[str, int] = field(default_factory=dict)

    def look(self, root: int) -> None:
        """Add a sample of the processes that live now below the process `root`, including itself."""
        total = 0
        for pid in [root, *descendants(root)]:
            found = _high_water(pid)
            if found is None or found[0].startswith(APART):
                continue
            name, size = found
            total += size
            self.programs[name] = max(size, self.programs.get(name, 0))
        self.together = max(self.together, total)

    def include(self, other: Peak) -> None:
        """Include the peak of another run."""
        self.together = max(self.together, other.together)
        for name, size in other.programs.items():
            self.programs[name] = max(size, self.programs.get(name, 0))


@dataclass(frozen=True)
class Measured:
    """A program that ended well: its stdout, its stderr and its peak memory."""

    stdout: bytes
    stderr: bytes
    peak: Peak


def run_measured(argv: Sequence[str], env: Mapping[str, str]) -> Measured:
    """Run a program to its end; a failure is a CalledProcessError with its stderr."""
    peak, over = Peak(), threading.Event()
    with subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:

        def watch() -> None:
            while not over.wait(INTERVAL):
                peak.look(child.pid)

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            stdout, stderr = child.communicate()
        finally:
            over.set()
            watcher.join()
    if child.returncode:
        raise subprocess.CalledProcessError(child.returncode, list(argv), stdout, stderr)
    return Measured(stdout, stderr, peak)


def descendants(root: int) -> Iterator[int]:
    """The processes that descend from `root`."""
    for path in PROC.glob(f"{root}/task/*/children"):
        with suppress(OSError):
            for word in path.read_text().split():
                yield int(word)
                yield from descendants(int(word))


def _high_water(pid: int) -> tuple[str, int] | None:
    """A process's name and the most memory it ever had resident, in bytes."""
    try:
        lines = (PROC / str(pid) / "status").read_text().splitlines()
    except OSError:
        return None
    fields = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    kib = fields.get("VmHWM", "").split()
    return (fields["Name"], int(kib[0]) * 1024) if kib else None
