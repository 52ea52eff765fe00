"""After kill -9 of bootimg no QEMU is left, in each way that `run` starts one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bootimg import process
from tests.unit.vm.test_network import passts

pytestmark = [
    pytest.mark.skipif(not process.find("qemu-system-x86_64"), reason="qemu-system-x86_64 is not installed"),
    pytest.mark.skipif(not process.find("qemu-img"), reason="qemu-img is not installed"),
]


def qemus(word: Path) -> list[int]:
    """Processes of QEMU with `word` in their command line, no matter in which group or session."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes()
        except OSError:
            continue
        if b"qemu-system" in words.partition(b"\0")[0] and bytes(word) in words:
            found.append(int(path.parent.name))
    return found


def until(condition: Callable[[], object], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.parametrize(
    "words",
    [
        ["--network", "off"],
        ["--network", "host", "--write", "--console", "{folder}/console.log"],
        ["--ssh=true"],
    ],
    ids=["terminal", "console", "ssh"],
)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_no_qemu_is_left(tmp_path: Path, words: list[str], number: signal.Signals) -> None:
    disk, before = tmp_path / "disk", passts()
    disk.write_bytes(bytes(1 << 20))
    options = [word.format(folder=tmp_path) for word in words]
    argv = [sys.executable, "-m", "bootimg", "run", "--accel", "tcg", "--arch", "x86_64", "--memory", "128M"]
    argv += ["--cache", str(tmp_path / "cache"), *options, str(disk)]
    with (tmp_path / "said").open("wb") as said:
        child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
    try:
        assert until(lambda: qemus(disk), 60), (tmp_path / "said").read_text()
    finally:
        child.send_signal(number)
        child.wait(30)
    left = until(lambda: not qemus(disk), 10)
    for pid in qemus(disk):
        os.kill(pid, signal.SIGKILL)
    assert left
    assert until(lambda: passts() <= before, 10)
