"""Runs the verbs of the clouds as processes, which can be killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from tests.support.clouds.faultproxy import Fault, Proxy, Request


def start(verb: str, builds: Path, *words: str) -> subprocess.Popen[str]:
    """A verb that runs as a process of its own."""
    argv = [sys.executable, "-m", "bootimg", verb, "-o", str(builds), "--cache", str(builds.parent / "cache"),
            *words]  # fmt: skip
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def killed_at(proxy: Proxy, action: str, number: int, verb: str, builds: Path, *words: str) -> None:
    """Run a verb that is killed at its call `number` of an action, after the server has answered it."""
    seen, born = 0, threading.Event()

    def plan(request: Request) -> Fault | None:
        nonlocal seen
        seen += request.action == action
        if request.action == action and seen == number:
            born.wait(60)
            os.kill(process.pid, signal.SIGKILL)
            return Fault(drop="after")
        return None

    proxy.plan = plan
    process = start(verb, builds, *words)
    born.set()
    output, _ = process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL, output
    proxy.plan = lambda request: None
