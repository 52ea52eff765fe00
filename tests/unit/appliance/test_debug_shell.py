"""The shell of `--debug-shell`, on this machine's own sh in place of the appliance."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from bootimg.appliance.shell import DebugShell
from bootimg.errors import BootimgError

FAILED = BootimgError("appliance-command-failed", "mkfs.xfs exited with 1 in the appliance", context=["why"])


class Machine:
    """Runs programs here, as an appliance runs them there."""

    def __init__(self) -> None:
        self.timeouts: list[float] = []

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float,
        env: Mapping[str, str] | None = None,
        input: bytes | None = None,
    ) -> bytes:
        self.timeouts.append(timeout)
        done = subprocess.run(argv, capture_output=True, timeout=timeout, stdin=subprocess.DEVNULL)
        if done.returncode:
            raise BootimgError("appliance-command-failed", f"{argv[0]} exited with {done.returncode}")
        return done.stdout


def talk(*lines: str, vm: Machine | None = None, timeout: int = 60) -> list[str]:
    """What the shell says to these lines, after its welcome."""
    sink = io.StringIO()
    DebugShell(io.StringIO("".join(line + "\n" for line in lines)), sink, timeout=timeout)(
        vm or Machine(), FAILED
    )
    said = sink.getvalue()
    assert said.startswith("failed: mkfs.xfs exited with 1 in the appliance\n  why\nThe appliance still runs")
    return said.partition("ends the shell.\n")[2].splitlines()


def test_output_of_both_streams_comes_in_order() -> None:
    assert talk("echo one; echo two >&2; echo three") == ["appliance:/# one", "two", "three", "appliance:/# "]


def test_the_folder_is_kept_from_one_line_to_the_next(tmp_path: Path) -> None:
    (tmp_path / "a b").mkdir()
    said = talk(f"cd '{tmp_path}/a b'", "pwd", "cd /nowhere 2>/dev/null || true", "echo $PWD")
    prompt = f"appliance:{tmp_path}/a b# "
    assert said == [f"appliance:/# {prompt}{tmp_path}/a b", f"{prompt}{prompt}{tmp_path}/a b", prompt]


def test_a_missing_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    said = talk(f"cd {tmp_path}/gone; rmdir {tmp_path}/gone", "echo here", "cd /", "pwd")
    assert any("exited with" in line for line in said)
    assert not any("here" in line for line in said)
    assert said[-1] == "appliance:/# "


def test_a_command_that_fails_ends_neither_the_shell_nor_the_machine() -> None:
    said = talk("exit 3", "echo next", "no-such-program", "fi", "kill -9 $$", "echo last")
    assert said[0] == "appliance:/# (exited with 3)"
    assert said[1] == "appliance:/# next"
    assert any("not found" in line for line in said)
    assert any("(exited with 127)" in line for line in said)
    assert any("(exited with 137)" in line for line in said)
    assert said[-2] == "appliance:/# last"


def test_a_command_that_does_not_end_is_ended_and_the_time_can_be_raised() -> None:
    vm = Machine()
    said = talk("echo begun; sleep 60", ":timeout 7", "echo next", ":timeout x", vm=vm, timeout=1)
    assert said == [
        "appliance:/# begun",
        "(ended after 1 s)",
        "appliance:/# commands are ended after 7 s",
        "appliance:/# next",
        "appliance:/# commands are ended after 7 s",
        "appliance:/# ",
    ]
    assert vm.timeouts == [31, 37]


def test_nothing_is_run_after_exit_or_for_an_empty_line() -> None:
    vm = Machine()
    talk("", "  ", "exit", "echo no", vm=vm)
    assert vm.timeouts == []


def test_output_that_is_not_text_is_shown_with_replacements() -> None:
    assert talk(r"printf 'a\0b\377\n'")[0] == "appliance:/# a\0b�"


@pytest.mark.parametrize("id", ["appliance-died", "appliance-timeout"])
def test_the_shell_ends_with_its_machine(id: str) -> None:
    class Dies(Machine):
        def run(self, *words: object, **options: object) -> bytes:
            raise BootimgError(id, "it is gone", context=["log: x"])

    assert talk("ls", "ls", vm=Dies()) == ["appliance:/# it is gone", "log: x"]
