"""Containers of the cluster, seen from outside by their control groups: what they use, and their end."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.cluster.machine.space import Space
from tests.cluster.machine.waiting import wait_for
from tests.support.processes import parent_of

_EVERY = 0.3
_OLD = Path("/sys/fs/cgroup/memory/k8s.io")
_NEW = Path("/sys/fs/cgroup/k8s.io")
_OLD_TIME = Path("/sys/fs/cgroup/cpuacct/k8s.io")
_OWN = re.compile(r"^(?:total_rss|anon) (\d+)$", re.MULTILINE)
"""The line of memory.stat with the memory of the processes themselves, in either tree of control groups."""
_TIME = re.compile(r"^usage_usec (\d+)$", re.MULTILINE)


@dataclass
class Usage:
    """What the processes of each container used, by its id.

    `memory` is the most in bytes, without cached files; `processor` is in seconds.
    """

    memory: dict[str, int] = field(default_factory=dict)
    processor: dict[str, float] = field(default_factory=dict)

    def look(self) -> None:
        for group in _groups().glob("*"):
            # A container may end meanwhile.
            with suppress(OSError):
                if found := _OWN.search((group / "memory.stat").read_text()):
                    self.memory[group.name] = max(int(found[1]), self.memory.get(group.name, 0))
                self.processor[group.name] = _processor(group)


@contextmanager
def watched() -> Iterator[Usage]:
    """Looks at all containers until the end of the block."""
    usage, ended = Usage(), threading.Event()

    def look() -> None:
        while not ended.wait(_EVERY):
            usage.look()

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield usage
    finally:
        ended.set()
        thread.join()


def _processor(group: Path) -> float:
    """The seconds of processor time of a control group, in either tree."""
    old = _OLD_TIME / group.name / "cpuacct.usage"
    if old.exists():
        return int(old.read_text()) / 1e9
    found = _TIME.search((group / "cpu.stat").read_text())
    return int(found[1]) / 1e6 if found else 0.0


def kill_step(name: str, space: Space) -> None:
    """Kill what a step runs, by its container's id; Tekton's first process stays, and reports it."""
    # A container runs before Tekton's process has started the step in it.
    wait_for(f"the step in the container {name}", lambda: _kill_children(name), space, every=0.1)


def _kill_children(name: str) -> bool:
    """Kill all processes but the first; whether there were any."""
    pids = {int(each) for each in (_groups() / name / "cgroup.procs").read_text().split()}
    killed = False
    for pid in pids:
        # One may end meanwhile, and be the last of another one's parents.
        with suppress(ProcessLookupError, FileNotFoundError):
            if parent_of(pid) in pids:
                os.kill(pid, signal.SIGKILL)
                killed = True
    return killed


def _groups() -> Path:
    return _OLD if _OLD.parent.exists() else _NEW
