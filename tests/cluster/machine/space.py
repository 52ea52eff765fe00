"""Namespaces for mounts, network and processes, which end with the tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bootimg import process
from tests.cluster.machine import init

ADDRESS = "10.250.0.1"
"""The bridge's address, where the cluster's parts and the tests' servers listen: pods reach it."""
_NAMESPACES = ("--mount", "--net", "--pid")
_SECONDS = 120.0

Completed = subprocess.CompletedProcess[bytes]


@dataclass
class Running:
    """A program in the namespaces; its output goes to a log."""

    name: str
    outer: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        """The program's own process: nsenter stays outside and waits for it."""
        return _only_child(self.outer.pid)

    def end(self, sent: signal.Signals = signal.SIGTERM) -> None:
        """Send a signal to the program and wait until it has ended."""
        if self.outer.poll() is None:
            os.kill(self.pid, sent)
        self.outer.wait(_SECONDS)

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-3000:]


@dataclass
class Space:
    """Where the cluster runs."""

    folder: Path
    environment: Mapping[str, str]
    pid: int
    programs: dict[str, Running] = field(default_factory=dict)

    def start(self, name: str, *argv: str | Path, **environment: str) -> Running:
        """Start a program; one of the same name must have ended."""
        assert name not in self.programs, f"{name} runs"
        log = self.folder / "log" / name
        with log.open("ab") as output:
            child = subprocess.Popen(
                [*self._enter(), *map(str, argv)],
                env=self._variables(environment), stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                # ^C is for the tests, which then end everything.
                start_new_session=True,
            )  # fmt: skip
        self.programs[name] = Running(name, child, log)
        return self.programs[name]

    def stop(self, name: str, sent: signal.Signals = signal.SIGTERM) -> None:
        """End a program: it may be started again."""
        self.programs.pop(name).end(sent)

    def run(self, *argv: str | Path, input: bytes = b"", check: bool = True, **environment: str) -> Completed:
        """Run a program to its end."""
        words = [*self._enter(), *map(str, argv)]
        env = self._variables(environment)
        done = subprocess.run(words, env=env, input=input, capture_output=True, timeout=1800)
        if check and done.returncode:
            said = done.stderr.decode(errors="replace")[-3000:]
            pytest.fail(f"{' '.join(map(str, argv))} exited with {done.returncode}\n{said}")
        return done

    def check_alive(self) -> None:
        """Fail with the log of a program that has ended by itself."""
        for each in self.programs.values():
            if each.outer.poll() is not None:
                pytest.fail(f"{each.name} exited with {each.outer.returncode}\n{each.tail()}")

    def _enter(self) -> Sequence[str]:
        return [
            str(process.require("nsenter", packages="util-linux")),
            "-t",
            str(self.pid),
            *_NAMESPACES,
            "--",
        ]

    def _variables(self, more: Mapping[str, str]) -> dict[str, str]:
        return {**process.environment(), **self.environment, **more}


@contextmanager
def own_namespaces(folder: Path, environment: Mapping[str, str]) -> Iterator[Space]:
    """New namespaces whose files are in `folder`; at the end nothing is left of them."""
    (folder / "log").mkdir(parents=True)
    unshare = [
        str(process.require("unshare", packages="util-linux")),
        *_NAMESPACES,
        "--fork",
        "--kill-child",
        "--mount-proc",
    ]
    argv = [*unshare, sys.executable, "-I", init.__file__, str(folder), ADDRESS]
    with (folder / "log/init").open("wb") as log:
        outer = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, start_new_session=True
        )
    assert outer.stdin and outer.stdout
    try:
        said = outer.stdout.readline()
        assert said == b"ready\n", (folder / "log/init").read_text()
        yield Space(folder, environment, _only_child(outer.pid))
    finally:
        outer.stdin.close()
        outer.wait(_SECONDS)
        outer.stdout.close()
        _remove_cgroups()


def _only_child(pid: int) -> int:
    (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(child)


def _remove_cgroups() -> None:
    """containerd's groups are outside the namespaces; those of another cluster are in use and stay."""
    for top in Path("/sys/fs/cgroup").glob("**/k8s.io"):
        for each in sorted((path for path in top.rglob("*") if path.is_dir()), reverse=True):
            _remove(each)
        _remove(top)


def _remove(group: Path) -> None:
    try:
        group.rmdir()
    except OSError:
        return
