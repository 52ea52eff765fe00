"""What happens when libguestfs misbehaves: it is a module of the test's own here, the rest is real."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bootimg import atomic
from bootimg.appliance import Appliance, Drive, FailureHook, appliance, channel, interpreter
from bootimg.appliance.interpreter import guestfs_python
from bootimg.cache import Cache
from bootimg.errors import BootimgError, ExitCode
from bootimg.events import Event, Events, Message
from bootimg.jobs import Stop, StoppedError
from bootimg.vm.accelerator import Accelerator
from bootimg.vm.kernel import Kernel
from tests.support.processes import is_running

GUESTFS = """
import os, subprocess, time
class GuestFS:
    def __init__(self, **options):
        self.files = {{}}
    def __getattr__(self, name):
        return lambda *words, **options: None
    def launch(self):
        child = subprocess.Popen(["sleep", "600"])
        with open({record!r}, "a") as file:
            print(os.getpid(), child.pid, file=file)
        {launch}
    def debug(self, command, words):
        if words[0].startswith("set -e"):
            return "/dev/sdb\\n/dev/sda\\n"
        {run}
    def filesize(self, path): return 0
    def is_ready(self): return {ready}
    def shutdown(self): {shutdown}
"""


class Fake:
    """A Python whose guestfs does as told; `pids` are the processes of each launch."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.python = folder / "python"
        self.record = folder / "record"
        self.write()

    def write(
        self, launch: str = "pass", run: str = "return '0'", ready: bool = True, shutdown: str = "pass"
    ) -> None:
        text = GUESTFS.format(record=str(self.record), launch=launch, run=run, ready=ready, shutdown=shutdown)
        (self.folder / "guestfs.py").write_text(text)
        self.python.write_text(
            f'#!/bin/sh\n[ "$1" = -I ] && shift\nPYTHONPATH={self.folder} exec {sys.executable} "$@"\n'
        )
        self.python.chmod(0o755)

    @property
    def launches(self) -> list[list[int]]:
        return [[int(word) for word in line.split()] for line in self.record.read_text().splitlines()]

    def alive(self) -> list[int]:
        return [pid for pids in self.launches for pid in pids if is_running(pid)]

    def start(
        self,
        events: Events | None = None,
        on_failure: FailureHook | None = None,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> Appliance:
        for name in ("disk", "tools"):
            (self.folder / name).touch()
        return Appliance.start(
            [Drive("disk", self.folder / "disk"), Drive("tools", self.folder / "tools", readonly=True)],
            tool_tree="tools",
            log=self.folder / "log",
            accelerator=Accelerator("tcg", "test"),
            cache=Cache(self.folder / "cache"),
            events=events or Events(),
            on_failure=on_failure,
            meanwhile=meanwhile,
        )


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    made = Fake(tmp_path)
    (tmp_path / "vmlinuz").touch()
    monkeypatch.setattr(appliance, "guestfs_python", lambda: made.python)
    monkeypatch.setattr(appliance, "find_kernel", lambda: Kernel(tmp_path / "vmlinuz", "6.1", tmp_path))
    monkeypatch.setattr(appliance, "require_system", lambda: None)
    monkeypatch.setattr(appliance, "require_qemu_img", lambda: None)
    monkeypatch.setattr(channel, "LOOK", 0.1)
    return made


def test_devices_are_those_of_the_labels_whatever_their_order(fake: Fake) -> None:
    with fake.start() as vm:
        assert (vm.device("disk"), vm.device("tools"), vm.device("disk", 4)) == (
            "/dev/sdb",
            "/dev/sda",
            "/dev/sdb4",
        )
    assert fake.alive() == []


def test_a_launch_that_hangs_is_killed_and_tried_once_more(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(appliance, "LAUNCH_DEADLINE", 1.0)
    monkeypatch.setattr(appliance, "APPLIANCE_BUILD_DEADLINE", 1.0)
    fake.write(launch="time.sleep(600)")
    events: list[Event] = []
    with pytest.raises(BootimgError) as caught:
        fake.start(Events([lambda event: events.append(event)]))
    assert caught.value.id == "appliance-launch-timeout"
    assert f"log: {fake.folder}/log" in caught.value.context
    assert len(fake.launches) == 2
    assert fake.alive() == []
    assert [event.level for event in events if isinstance(event, Message)] == ["warning"]


def test_a_second_launch_may_succeed(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(appliance, "LAUNCH_DEADLINE", 3.0)
    monkeypatch.setattr(appliance, "APPLIANCE_BUILD_DEADLINE", 3.0)
    fake.write(launch=f"time.sleep(600 if len(open({str(fake.record)!r}).readlines()) == 1 else 0)")
    with fake.start():
        assert len(fake.launches) == 2


def test_a_launch_that_fails_is_not_tried_again(fake: Fake) -> None:
    fake.write(launch="raise RuntimeError('guestfs_launch failed: no kernel')")
    with pytest.raises(BootimgError) as caught:
        fake.start()
    assert (caught.value.id, caught.value.exit_code) == ("appliance-launch-failed", ExitCode.ENVIRONMENT)
    assert "guestfs_launch failed: no kernel" in caught.value.context
    assert len(fake.launches) == 1
    assert fake.alive() == []


def test_a_worker_that_crashes_in_the_launch(fake: Fake) -> None:
    fake.write(launch="os._exit(1)")
    with pytest.raises(BootimgError, match="appliance-launch-failed"):
        fake.start()
    assert fake.alive() == []


def test_a_command_that_hangs_takes_the_machine_with_it(fake: Fake) -> None:
    fake.write(run="time.sleep(600)")
    with pytest.raises(BootimgError) as caught, fake.start() as vm:
        vm.run(["sleep", "600"], timeout=0.5)
    assert caught.value.id == "appliance-timeout"
    assert "sleep 600" in caught.value.context
    assert fake.alive() == []


def test_a_stop_takes_the_machine_with_it(fake: Fake) -> None:
    """Whatever runs in it."""
    fake.write(run="time.sleep(600)")
    stop = Stop()
    with pytest.raises(StoppedError), fake.start(meanwhile=stop.check) as vm:
        stop.set()
        vm.run(["sleep", "600"], timeout=600)
    assert fake.alive() == []


def test_a_worker_or_machine_that_dies(fake: Fake) -> None:
    fake.write(run="os._exit(1)")
    with pytest.raises(BootimgError, match="appliance-died"), fake.start() as vm:
        vm.run(["true"], timeout=20)
    fake.write(run="raise RuntimeError('appliance closed the connection unexpectedly')", ready=False)
    with pytest.raises(BootimgError) as caught, fake.start() as vm:
        vm.run(["true"], timeout=20)
    assert caught.value.id == "appliance-died"
    assert "appliance closed the connection unexpectedly" in caught.value.context


def test_a_failing_shutdown_is_an_error_since_data_may_be_lost(fake: Fake) -> None:
    fake.write(shutdown="raise RuntimeError('umount: /sysroot: target is busy')")
    with pytest.raises(BootimgError) as caught, fake.start():
        pass
    assert caught.value.id == "appliance-call-failed"
    assert fake.alive() == []


def test_an_exception_in_the_body_does_not_wait(fake: Fake) -> None:
    fake.write(shutdown="time.sleep(600)")
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt), fake.start():
        raise KeyboardInterrupt
    assert time.monotonic() - began < 5
    assert fake.alive() == []


def test_nothing_stays_in_the_temporary_folder(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    with fake.start() as vm:
        scratch = vm._scratch
        assert scratch.is_dir()
        assert len(os.fspath(scratch)) < 70
    assert not scratch.exists()


@pytest.mark.parametrize("label", ["", "a-b", "disk1", "x" * 21])
def test_labels_are_letters(label: str) -> None:
    with pytest.raises(ValueError, match="not a drive label"):
        Drive(label, Path("/x"))


def test_an_interpreter_with_guestfs_is_looked_for(fake: Fake, tmp_path: Path) -> None:
    without = tmp_path / "without"
    without.write_text("#!/bin/sh\nexit 1\n")
    without.chmod(0o755)
    assert guestfs_python([without, fake.python]) == fake.python
    with pytest.raises(BootimgError) as caught:
        guestfs_python([without])
    assert (caught.value.id, caught.value.exit_code) == ("libguestfs-missing", ExitCode.ENVIRONMENT)
    assert caught.value.context == (f"tried {without}",)
    assert interpreter.PACKAGES.apt.split()[0] in str(caught.value.hint) or "dnf" in str(caught.value.hint)


PARENT = """
import os, signal, sys
from pathlib import Path
from bootimg.appliance import appliance
from bootimg.cache import Cache
from bootimg.events import Events
from bootimg.vm.accelerator import Accelerator
from bootimg.vm.kernel import Kernel
folder = Path(sys.argv[1])
appliance.guestfs_python = lambda: folder / "python"
appliance.find_kernel = lambda: Kernel(folder / "vmlinuz", "6.1", folder)
appliance.require_system = appliance.require_qemu_img = lambda: None
(folder / "tools").touch()
vm = appliance.Appliance.start([appliance.Drive("tools", folder / "tools", readonly=True)], tool_tree="tools",
    log=folder / "log", accelerator=Accelerator("tcg", ""), cache=Cache(folder / "cache"), events=Events())
print(*Path(os.environ["TMPDIR"]).iterdir(), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_parent_leaves_neither_process_nor_folder(fake: Fake) -> None:
    """Nor does the folder come back: it is removed when nobody is left who would write to it."""
    with tempfile.TemporaryDirectory(prefix="t-") as temporary:
        done = subprocess.run(
            [sys.executable, "-c", PARENT, fake.folder],
            env={**os.environ, "TMPDIR": temporary},
            stdout=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == -9
        assert "/bootimg-appliance-" in done.stdout.decode()
        deadline = time.monotonic() + 5
        while (fake.alive() or any(Path(temporary).iterdir())) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert fake.alive() == []
        assert list(Path(temporary).iterdir()) == []


def test_a_folder_whose_worker_was_killed_too_is_removed_by_the_next(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(atomic, "YOUNG", 0.0)
    with tempfile.TemporaryDirectory(prefix="t-") as temporary:
        monkeypatch.setattr(tempfile, "tempdir", temporary)
        left = Path(temporary, f"{appliance.SCRATCH}left")
        left.mkdir()
        with fake.start():
            assert not left.exists()
            assert len(list(Path(temporary).iterdir())) == 1
        assert list(Path(temporary).iterdir()) == []


def test_the_machine_of_a_failure_is_handed_over_before_it_is_ended(fake: Fake) -> None:
    fake.write(run="return '1' if 'fails' in words[0] else '0'")
    seen: list[object] = []

    def look(vm: Appliance, error: BootimgError) -> None:
        seen.append((error.id, len(fake.alive()), vm.run(["true"], timeout=20)))

    with pytest.raises(BootimgError) as caught, fake.start(on_failure=look) as vm:
        vm.run(["fails"], timeout=20)
    assert caught.value.id == "appliance-command-failed"
    assert seen == [("appliance-command-failed", 2, b"")]
    assert fake.alive() == []


def test_a_machine_that_is_gone_or_was_not_at_fault_is_not_handed_over(fake: Fake) -> None:
    def look(vm: Appliance, error: BootimgError) -> None:
        raise AssertionError(error.id)

    fake.write(run="os._exit(1)")
    with pytest.raises(BootimgError, match="appliance-died"), fake.start(on_failure=look) as vm:
        vm.run(["true"], timeout=20)
    with pytest.raises(KeyboardInterrupt), fake.start(on_failure=look):
        raise KeyboardInterrupt


def test_the_machine_ends_even_if_its_failure_hook_raises(fake: Fake) -> None:
    def look(vm: Appliance, error: BootimgError) -> None:
        raise KeyboardInterrupt

    fake.write(run="return '1'")
    with pytest.raises(KeyboardInterrupt), fake.start(on_failure=look) as vm:
        vm.run(["fails"], timeout=20)
    assert fake.alive() == []
