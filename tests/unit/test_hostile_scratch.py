"""A hostile run leaves no folder and no process, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hostile.run import ROOT
from tests.hostile.scratch import PREFIX
from tests.support.processes import is_running

RUN = """
import subprocess, sys, tempfile
from tests.hostile.scratch import run_in_scratch
def work():
    tempfile.mkdtemp()
    # In a group of its own, as the product starts programs.
    left = subprocess.Popen(["sleep", "600"], start_new_session=True)
    print(left.pid, flush=True)
    return 3 if sys.argv[1] == "ends" else left.wait()
sys.exit(run_in_scratch(work))
"""


def start(folder: Path, how: str) -> tuple[subprocess.Popen[str], int]:
    """A run, and the process that it starts."""
    env = {**os.environ, "TMPDIR": str(folder)}
    run = subprocess.Popen(
        [sys.executable, "-c", RUN, how], cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True
    )
    assert run.stdout
    return run, int(run.stdout.readline())


@pytest.mark.parametrize("number", [None, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_nothing_is_left(number: signal.Signals | None, tmp_path: Path) -> None:
    run, left = start(tmp_path, "waits" if number else "ends")
    if number:
        run.send_signal(number)
    assert run.wait(timeout=60) == (128 + number if number else 3)
    assert list(tmp_path.iterdir()) == []
    assert not is_running(left)


def test_the_next_run_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    run, left = start(tmp_path, "waits")
    other, kept = start(tmp_path, "waits")
    run.kill()
    run.wait(timeout=60)
    # The child that works ends too; what it started has to be ended here.
    os.kill(left, signal.SIGKILL)
    assert len(list(tmp_path.glob(f"{PREFIX}*"))) == 2
    assert start(tmp_path, "ends")[0].wait(timeout=60) == 3
    assert len(list(tmp_path.glob(f"{PREFIX}*"))) == 1
    other.terminate()
    assert other.wait(timeout=60) == 128 + signal.SIGTERM
    assert not is_running(kept)
    assert list(tmp_path.iterdir()) == []
