"""Programs end with the one that started them."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from bootimg import process
from bootimg.errors import BootimgError

PARENT = """
import os, signal, sys, threading, time
from bootimg import process
def command(pid):
    return open(f"/proc/{pid}/comm").read().strip()
def kill():
    children = f"/proc/self/task/{threading.main_thread().native_id}/children"
    while not (found := open(children).read().split()) or command(found[-1]) != "sleep":
        time.sleep(0.01)
    print(found[-1], flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
process.run(["true"])
threading.Thread(target=kill).start()
process.run(["sleep", "600"])
"""


@pytest.mark.skipif(not process._ties(), reason="setpriv cannot tie processes here")
def test_a_program_does_not_outlive_a_killed_parent() -> None:
    done = subprocess.run([sys.executable, "-c", PARENT], stdout=subprocess.PIPE)
    assert done.returncode == -9
    deadline = time.monotonic() + 5
    while _sleeps(int(done.stdout)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _sleeps(int(done.stdout))


def _sleeps(pid: int) -> bool:
    try:
        return b"sleep" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(BootimgError, match="no-such-program is not installed") as caught:
        process.run(["no-such-program", "-x"])
    assert caught.value.id == "program-missing"


def test_a_failure_tells_the_program_itself() -> None:
    with pytest.raises(BootimgError) as caught:
        process.run(["sh", "-c", "echo why >&2; exit 3"])
    assert (caught.value.id, caught.value.message) == ("program-failed", "sh exited with 3")
    assert caught.value.context == ("sh -c echo why >&2; exit 3", "why")
