"""How the kernel is told of an emulator; whether an emulator emulates is for the layers to show."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bootimg import process
from bootimg.arch import Arch
from tests.layer import emulation

AARCH64 = Arch.AARCH64
pytestmark = pytest.mark.skipif(
    Arch.of_machine() is AARCH64, reason="programs of aarch64 run on this machine"
)


def program(path: Path, machine: bytes) -> Path:
    """A file that starts as a machine's programs do: ELF's header, 64 bit, least significant byte first."""
    path.write_bytes(b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x03\x00" + machine + bytes(44))
    path.chmod(0o755)
    return path


def test_only_programs_of_the_architecture_go_to_the_emulator_and_only_inside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOOTIMG_TEST_CACHE", str(tmp_path))
    if reason := emulation.why_not(AARCH64):
        pytest.skip(reason)
    own, other = program(tmp_path / "own", b"\xb7\x00"), program(tmp_path / "other", b"\x16\x00")
    inside = emulation.namespace(Path("/bin/echo"), AARCH64)
    done = process.run([*inside, own, "a-word"])
    assert done.stdout.decode().split() == [str(own), str(own), "a-word"]
    assert process.run([*inside, other], check=False).returncode
    if not emulation.runs_here(AARCH64):
        with pytest.raises(OSError, match="Exec format error"):
            subprocess.run([own], check=False)


def test_what_runs_there_may_give_files_to_other_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOOTIMG_TEST_CACHE", str(tmp_path))
    if reason := emulation.why_not(AARCH64):
        pytest.skip(reason)
    inside = emulation.namespace(Path("/bin/true"), AARCH64)
    words = ("sh", "-c", 'id -u && touch "$0" && chown 42:43 "$0" && stat -c %u:%g "$0"', tmp_path / "file")
    done = process.run([*inside, *words])
    assert done.stdout.split() == [b"0", b"42:43"]


def test_an_architecture_without_an_emulator_is_refused_with_a_reason() -> None:
    if emulation.runs_here(Arch.S390X):
        pytest.skip("programs of s390x run on this machine")
    assert "s390x" in str(emulation.why_not(Arch.S390X))
