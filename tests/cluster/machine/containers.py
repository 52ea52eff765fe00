"""Containers of the cluster, seen from outside by their control groups: their memory, and their end."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

_EVERY = 0.3
_OLD = Path("/sys/fs/cgroup/memory/k8s.io")
_NEW = Path("/sys/fs/cgroup/k8s.io")
_OWN = re.compile(r"^(?:total_rss|anon) (\d+)$", re.MULTILINE)
"""The line of memory.stat with the memory of the processes themselves, in either tree of control groups."""


@dataclass
class Memory:
    """The most that the processes of each container had, in bytes, by its id; cached files do not count."""

    most: dict[str, int] = field(default_factory=dict)

    def look(self) -> None:
        for group in _groups().glob("*"):
            # A container may end meanwhile.
            with suppress(OSError):
                if found := _OWN.search((group / "memory.stat").read_text()):
                    self.most[group.name] = max(int(found[1]), self.most.get(group.name, 0))


@contextmanager
def watched() -> Iterator[Memory]:
    """Looks at all containers until the end of the block."""
    memory, ended = Memory(), threading.Event()

    def look() -> None:
        while not ended.wait(_EVERY):
            memory.look()

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield memory
    finally:
        ended.set()
        thread.join()


def kill_container(name: str) -> None:
    """Kill all processes of a container, by its id."""
    for pid in (_groups() / name / "cgroup.procs").read_text().split():
        # The first one takes the others with it.
        with suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)


def _groups() -> Path:
    return _OLD if _OLD.parent.exists() else _NEW
