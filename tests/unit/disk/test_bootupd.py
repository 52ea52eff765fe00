"""The layer's bootupd: how it is called, and that its word is checked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

import pytest

from bootimg.appliance import Appliance
from bootimg.disk.bootloaders import bootupd
from bootimg.errors import BootimgError


class Recorder:
    """Takes an appliance's calls; what the state file holds is given."""

    log = Path("console.log")

    def __init__(self, state: bytes) -> None:
        self.state = state
        self.calls: list[list[str]] = []

    def run(self, argv: list[str], *, timeout: float) -> bytes:
        self.calls.append(argv)
        return self.state if argv[0] == "sh" else b""


def install(state: object, device: str | None, components: frozenset[str]) -> list[str]:
    recorder = Recorder(state if isinstance(state, bytes) else json.dumps(state).encode())
    vm = cast(Appliance, recorder)
    bootupd.install(vm, device=device, static_configs=True, components=components)
    return recorder.calls[0]


BOTH: dict[str, dict[str, dict[str, str]]] = {"installed": {"BIOS": {}, "EFI": {}}}


def test_the_arguments_are_those_of_osbuild_s_stage() -> None:
    argv = install(BOTH, "/dev/sda", frozenset({"BIOS", "EFI"}))
    assert argv == [
        *("bootupctl", "backend", "install", "--device=/dev/sda", "--with-static-configs", "/sysroot"),
    ]


def test_a_disk_that_has_no_bios_bootloader_names_no_device() -> None:
    argv = install({"installed": {"EFI": {}}}, None, frozenset({"EFI"}))
    assert argv == ["bootupctl", "backend", "install", "--with-static-configs", "/sysroot"]


@pytest.mark.parametrize("state", [b"", b"{", b"[]", {"installed": {}}, {"installed": {"BIOS": {}}}])
def test_success_without_the_component_is_an_error(state: object) -> None:
    with pytest.raises(BootimgError) as error:
        install(state, "/dev/sda", frozenset({"BIOS", "EFI"}))
    assert error.value.id == "bootupd-incomplete"
    assert "EFI" in str(error.value)
