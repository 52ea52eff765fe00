"""Programs on untrusted data: each limit ends them, and so does ^C."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from bootimg import process
from bootimg.errors import BootimgError
from bootimg.sizes import MIB
from bootimg.untrusted.budget import Budget
from bootimg.untrusted.limited import OverLimitError, ProcessLimits, killed_after, run_limited
from bootimg.untrusted.limits import Limits
from bootimg.untrusted.worker import ask_worker

SPIN = "while True: pass"


def refuse(why: str) -> BootimgError:
    return BootimgError("some-file-malformed", why)


def run(script: str, folder: Path, limits: ProcessLimits) -> process.Completed:
    return run_limited([sys.executable, "-I", "-S", "-c", script], folder / "output", limits)


@pytest.mark.parametrize(
    ("script", "limits", "why"),
    [
        (SPIN, ProcessLimits(seconds=1), "more than 1 s of processor time"),
        ("import time; time.sleep(60)", ProcessLimits(deadline=2), "more than 2 s"),
        ("import os, signal; signal.signal(signal.SIGXFSZ, signal.SIG_DFL)\n"
         "while True: os.write(1, bytes(65536))", ProcessLimits(written=2 * MIB), "more than 2097152 bytes"),
    ],
    ids=["processor", "waiting", "output"],
)  # fmt: skip
def test_the_limit_that_ends_a_program_is_named(
    script: str, limits: ProcessLimits, why: str, tmp_path: Path
) -> None:
    begin = time.monotonic()
    with pytest.raises(OverLimitError, match=why):
        run(script, tmp_path, limits)
    assert time.monotonic() - begin < 30
    assert (tmp_path / "output").stat().st_size <= 2 * MIB


def test_programs_share_the_processor_time_of_an_image(tmp_path: Path) -> None:
    """Each takes a part of a second, which its own limit allows."""
    spin = "import time\nwhile time.process_time() < 0.4: pass"
    budget, words = Budget(Limits(cpu=2)), [sys.executable, "-I", "-S", "-c", spin]
    with pytest.raises(BootimgError, match="image-over-budget") as caught:
        for _ in range(10):
            run_limited(words, tmp_path / "output", ProcessLimits(seconds=30), budget=budget)
    assert "the limit `cpu`" in caught.value.message
    assert 2 < budget.seconds < 5


def test_a_program_gets_only_what_is_left_of_an_image_s_time(tmp_path: Path) -> None:
    budget = Budget(Limits(cpu=1))
    words = [sys.executable, "-I", "-S", "-c", SPIN]
    with pytest.raises(BootimgError, match="image-over-budget"):
        run_limited(words, tmp_path / "output", ProcessLimits(seconds=3000), budget=budget)
    assert budget.seconds < 10


def test_memory_that_is_not_allowed_is_not_had(tmp_path: Path) -> None:
    done = run("bytearray(600 << 20)", tmp_path, ProcessLimits(memory=500 * MIB))
    assert b"MemoryError" in done.stderr
    assert run("bytearray(300 << 20)", tmp_path, ProcessLimits(memory=500 * MIB)).returncode == 0
    done = run("bytearray(600 << 20)", tmp_path, ProcessLimits(memory=None, data=500 * MIB))
    assert b"MemoryError" in done.stderr


def test_no_limit_is_above_this_process_s_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = {resource.RLIMIT_AS: 300 * MIB}
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (0, own.get(kind, resource.RLIM_INFINITY)))
    assert f"--as={300 * MIB}" in ProcessLimits(memory=500 * MIB).words()
    assert f"--as={200 * MIB}" in ProcessLimits(memory=200 * MIB).words()


def test_a_conversation_is_ended_after_its_time() -> None:
    before = set(threading.enumerate())
    with process.spawn([sys.executable, "-I", "-S", "-c", SPIN]) as child, killed_after(child, 0.5):
        begin = time.monotonic()
        assert child.stdout
        assert child.stdout.read() == b""
        assert time.monotonic() - begin < 20
    for timer in set(threading.enumerate()) - before:
        timer.join(60)
        assert not timer.is_alive()


def test_control_c_ends_a_program_that_takes_no_signal(tmp_path: Path) -> None:
    """As sqlite in an expensive function: nothing in it looks at signals."""
    script = f"""
import os, pathlib
from bootimg.untrusted.limited import ProcessLimits, run_limited
print("ready", flush=True)
spin = "import os, signal; signal.signal(signal.SIGINT, signal.SIG_IGN); print(os.getpid(), flush=True)"
limits = ProcessLimits(seconds=60)
run_limited([{sys.executable!r}, "-c", spin + chr(10) + {SPIN!r}], pathlib.Path("pid"), limits)
"""
    command = [sys.executable, "-c", script]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(
        command, cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as run:
        assert run.stdout
        assert run.stdout.readline() == b"ready\n"
        output = tmp_path / "pid"
        for _ in range(300):
            if output.exists() and output.read_text().endswith("\n"):
                break
            time.sleep(0.1)
        pid = int(output.read_text())
        run.send_signal(signal.SIGINT)
        _, errors = run.communicate(timeout=30)
        assert b"KeyboardInterrupt" in errors
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_worker_that_dies_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(BootimgError, match=r"No module named bootimg\.nothing"):
        ask_worker("bootimg.nothing", scratch=tmp_path, limits=ProcessLimits(), refuse=refuse)
    assert list(tmp_path.iterdir()) == []
