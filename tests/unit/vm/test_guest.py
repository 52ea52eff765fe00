"""A guest's console, and a guest that is a script in QEMU's place."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from bootimg.arch import Arch
from bootimg.errors import BootimgError
from bootimg.vm.accelerator import Accelerator
from bootimg.vm.console import Console
from bootimg.vm.diskimage import DiskImage
from bootimg.vm.guest import Guest
from bootimg.vm.image import image_format
from bootimg.vm.machine import Machine
from bootimg.vm.qemu import Program


def test_console_is_read_as_it_grows_without_colours(tmp_path: Path) -> None:
    log = tmp_path / "log"
    console = Console(log)
    assert not console.poll()
    parts = [b"[\x1b[0;32m  OK ", b" \x1b", b"[0m] Started caf\xc3", b"\xa9\r\n"]
    for part in parts:
        with log.open("ab") as handle:
            handle.write(part)
        assert console.poll()
        assert "\x1b" not in console.text
    assert console.text == "[  OK  ] Started caf\u00e9\n"
    assert not console.poll()


def test_a_search_starts_behind_the_last_match(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("login: a\nlogin: b\n")
    console = Console(tmp_path / "log")
    console.poll()
    found = [console.search(r"^login: (\w)$") for _ in range(3)]
    assert [match and match[1] for match in found] == ["a", "b", None]


def guest(tmp_path: Path, script: str) -> Guest:
    """QEMU is a shell script here, with LOG, the console's file."""
    log = tmp_path / "console.log"
    qemu = tmp_path / "qemu"
    qemu.write_text(f"#!/bin/sh\nLOG={log}\n{script}\n")
    qemu.chmod(0o755)
    machine = Machine(
        arch=Arch.X86_64, accelerator=Accelerator("tcg", ""), disk=DiskImage(tmp_path / "disk", "raw"),
        console=log,
    )  # fmt: skip
    return Guest(machine, qemu=Program(qemu, (7, 2), ""))


def test_wait_and_send(tmp_path: Path) -> None:
    script = 'echo "login: " >>$LOG; read name; echo "hello $name" >>$LOG'
    with guest(tmp_path, script) as running:
        running.wait_for("login:", 10)
        running.send("core\n")
        assert running.wait_for(r"hello (\w+)", 10)[1] == "core"
        running.wait_off(10)


def test_output_at_the_end_is_still_read(tmp_path: Path) -> None:
    with guest(tmp_path, "echo bye >>$LOG") as running:
        time.sleep(0.3)
        running.wait_for("bye", 5)


def test_timeout_has_the_console(tmp_path: Path) -> None:
    with (
        guest(tmp_path, "echo stuck >>$LOG; exec sleep 60") as running,
        pytest.raises(BootimgError) as caught,
    ):
        running.wait_for("login:", 0.5)
    assert caught.value.id == "guest-timeout"
    assert caught.value.context == (f"console: {running.log}", "stuck")
    assert not running.running


def test_death_has_qemus_words(tmp_path: Path) -> None:
    with (
        guest(tmp_path, "echo no such machine >&2; exit 1") as running,
        pytest.raises(BootimgError) as caught,
    ):
        running.wait_for("login:", 20)
    assert caught.value.id == "guest-died"
    assert "no such machine" in caught.value.context
    with pytest.raises(BootimgError, match="guest-died"), guest(tmp_path, "exit 3") as running:
        running.wait_off(10)


def test_nothing_runs_after_the_body(tmp_path: Path) -> None:
    with pytest.raises(KeyError), guest(tmp_path, "echo $$ >>$LOG; sleep 60") as running:
        pid = int(running.wait_for(r"\d+", 10)[0])
        raise KeyError
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.parametrize(
    ("head", "name"),
    [(b"QFI\xfb\0\0", "qcow2"), (b"KDMV", "vmdk"), (b"vhdxfile", "vhdx"), (b"conectix", "vpc"), (b"", "raw")],
)
def test_format_by_signature(tmp_path: Path, head: bytes, name: str) -> None:
    (tmp_path / "disk").write_bytes(head)
    assert image_format(tmp_path / "disk") == name


@pytest.mark.parametrize(
    "data",
    [
        b"\x1f\x8b\x08",
        b"\xfd7zXZ\0",
        b"\x28\xb5\x2f\xfd",
        bytes(0x8001) + b"CD001",
        b"disk.raw".ljust(257, b"\0") + b"ustar  \0",
    ],
)
def test_what_run_cannot_boot(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "disk").write_bytes(data)
    with pytest.raises(BootimgError, match="image-format-unsupported"):
        image_format(tmp_path / "disk")
    with pytest.raises(BootimgError, match="image-unreadable"):
        image_format(tmp_path / "nothing")


PANIC = "[   12.345678] ---[ end Kernel panic - not syncing: Fatal exception in interrupt ]---"


FROZEN = "[  287.999298] systemd[1]: Freezing execution."


@pytest.mark.parametrize("timeout", [60, None])
@pytest.mark.parametrize(
    ("last", "why"),
    [(PANIC, "the guest's kernel panicked"), (FROZEN, "the guest's systemd failed and froze")],
)
def test_a_system_that_stands_still_is_not_waited_for(
    tmp_path: Path, last: str, why: str, timeout: float | None
) -> None:
    with (
        guest(tmp_path, f"echo '{last}' >>$LOG; exec sleep 60") as running,
        pytest.raises(BootimgError) as caught,
    ):
        if timeout:
            running.wait_for("login:", timeout)
        running.wait_off(timeout)
    assert caught.value.id == "guest-died"
    assert why in caught.value.context
    assert last in caught.value.context


def test_similar_text_is_no_standstill(tmp_path: Path) -> None:
    script = "echo 'bash: [1] --- end Kernel panic' >>$LOG; echo '[    1.0] Kernel panic' >>$LOG; sleep 1"
    script = f"echo 'bash: systemd[1]: Freezing execution' >>$LOG; {script}"
    with guest(tmp_path, script) as running:
        running.wait_off(30)
