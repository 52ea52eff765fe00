"""Programs end with the one that started them."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from contextlib import ExitStack
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


def test_a_program_does_not_outlive_a_killed_parent() -> None:
    done = subprocess.run([sys.executable, "-c", PARENT], stdout=subprocess.PIPE)
    assert done.returncode == -9
    deadline = time.monotonic() + 5
    while _sleeps(int(done.stdout)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _sleeps(int(done.stdout))


def test_a_program_outlives_the_thread_that_started_it() -> None:
    """The kernel sends the signal when the thread ends that forked."""
    with ExitStack() as stack:
        children: list[subprocess.Popen[bytes]] = []

        def start() -> None:
            children.append(stack.enter_context(process.spawn(["sleep", "600"], tied=True)))

        thread = threading.Thread(target=start)
        thread.start()
        thread.join()
        time.sleep(0.5)
        assert children[0].poll() is None
        assert _sleeps(children[0].pid)


@pytest.mark.parametrize("setpriv", [True, False])
def test_an_orphan_does_not_start(setpriv: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tied to a process that has ended meanwhile."""
    if not setpriv:
        monkeypatch.setattr(process, "_setpriv", lambda: ())
    assert process.run(["echo", "hello"]).stdout == b"hello\n"
    monkeypatch.setattr("os.getpid", lambda: 1)
    assert process.run(["echo", "hello"], check=False).stdout == b""


def test_old_machines_tie_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test of the killed parent, with Python in setpriv's place."""
    done = subprocess.run(
        [sys.executable, "-c", "from bootimg import process\nprocess._setpriv = lambda: ()\n" + PARENT],
        stdout=subprocess.PIPE,
    )
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


def test_a_program_is_fed_while_it_complains() -> None:
    """It gets every piece, and its messages may be longer than a pipe holds."""
    script = (
        "sum = 0\nfor line in sys.stdin: sum += 1; sys.stderr.write('x' * 100)\nsys.stderr.write(str(sum))"
    )
    done = process.feed([sys.executable, "-c", f"import sys\n{script}"], [b"a\n" * 500] * 4)
    assert done.returncode == 0
    assert done.stderr == b"x" * 200_000 + b"2000"


def test_a_program_that_stops_reading_says_how_it_ended() -> None:
    """The pieces that it did not read are dropped."""
    done = process.feed(["sh", "-c", "head -c 1 >&2; exit 3"], [b"y" * (1 << 20)] * 3)
    assert (done.returncode, done.stderr) == (3, b"y")


def test_a_fed_program_has_the_umask_that_is_given() -> None:
    """Files that it makes depend on it."""
    done = process.feed(["sh", "-c", "umask >&2"], [], umask=0o027)
    assert done.stderr.strip() == b"0027"
