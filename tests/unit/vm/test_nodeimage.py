"""What a guest gets to lay a node image over its system."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from bootimg import process
from bootimg.arch import Arch
from bootimg.errors import BootimgError
from bootimg.sizes import GIB
from bootimg.vm.accelerator import Accelerator
from bootimg.vm.bootable import BootableDisk
from bootimg.vm.diskimage import DiskImage
from bootimg.vm.network import Link
from bootimg.vm.nodeimage.check import require_laid
from bootimg.vm.nodeimage.overlay import PROGRAM, SERIAL, UNIT, NodeOverlay
from bootimg.vm.session import Session
from bootimg.vm.ssh import SshKey

USER = b'{"ignition": {"version": "3.4.0"}, "systemd": {"units": [{"name": "user.service"}]}}'


def session(arch: Arch = Arch.X86_64, config: bytes | None = USER) -> Session:
    return Session(
        bootable=BootableDisk(DiskImage(Path("/d/disk.qcow2"), "qcow2")),
        arch=arch,
        accelerator=Accelerator("tcg", ""),
        config=config,
        overlay=NodeOverlay(Path("/c/a,node.squashfs"), 5 * GIB),
    )


@pytest.fixture(autouse=True)
def no_firmware(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bootimg.vm.session.make_flash", lambda *_: None)


@pytest.mark.parametrize("arch", Arch)
def test_the_node_image_is_a_read_only_drive_after_the_disk(arch: Arch, tmp_path: Path) -> None:
    argv = session(arch).machine(tmp_path, Link(None)).argv(Path("/usr/bin/qemu"))
    nodes = [json.loads(argv[at + 1]) for at, word in enumerate(argv) if word == "-blockdev"]
    [drive] = [each for each in nodes if each["node-name"] == "data"]
    assert drive["read-only"] is True
    assert (drive["driver"], drive["file"]["filename"]) == ("raw", "/c/a,node.squashfs")
    device = f"virtio-blk-{arch.row.hardware.bus},drive=data,serial={SERIAL}"
    disk = next(at for at, word in enumerate(argv) if "drive=disk,bootindex=1" in word)
    assert argv.index(device) > disk
    assert len(SERIAL) <= 20


def made_config(tmp_path: Path, config: bytes | None) -> dict[str, dict[str, list[dict[str, object]]]]:
    session(config=config).machine(tmp_path, Link(None))
    found = json.loads((tmp_path / "config.ign").read_bytes())
    assert isinstance(found, dict)
    return found


def test_the_users_config_is_merged(tmp_path: Path) -> None:
    found = json.loads(json.dumps(made_config(tmp_path, USER)))
    [merged] = found["ignition"]["config"]["merge"]
    assert base64.b64decode(merged["source"].partition(",")[2]) == USER
    assert [each["name"] for each in found["systemd"]["units"]] == [UNIT]
    assert "passwd" not in found


def test_without_a_config_core_is_logged_in_on_the_console(tmp_path: Path) -> None:
    found = made_config(tmp_path, None)
    assert {UNIT, "serial-getty@ttyS0.service"} == {each["name"] for each in found["systemd"]["units"]}
    assert "config" not in found["ignition"]


def test_the_program_and_its_unit(tmp_path: Path) -> None:
    found = json.loads(json.dumps(made_config(tmp_path, USER)))
    [file] = found["storage"]["files"]
    assert (file["path"], file["mode"]) == (PROGRAM, 0o755)
    program = base64.b64decode(file["contents"]["source"].partition(",")[2])
    assert f"/dev/disk/by-id/virtio-{SERIAL}\n".encode() in program
    process.run(["bash", "-n"], input=program)
    [unit] = found["systemd"]["units"]
    assert unit["enabled"] is True
    assert f"ExecStart={PROGRAM}\n" in unit["contents"]
    assert f"LIVE_SPACE={5 * GIB}\n" in unit["contents"]


def test_the_unit_is_one_of_systemd_s(tmp_path: Path) -> None:
    analyze = process.find("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed")
    unit = tmp_path / UNIT
    # The program is not there on this machine.
    unit.write_text(session().overlay.unit.contents.replace(PROGRAM, "/bin/true"))  # type: ignore[union-attr]
    done = process.run([analyze, "verify", "--man=no", "--recursive-errors=no", unit], check=False)
    assert UNIT not in done.stderr.decode()


def guest(folder: Path, monkeypatch: pytest.MonkeyPatch, state: str, journal: str = "") -> SshKey:
    """A stand-in of ssh that answers as a guest would."""
    script = f"#!/bin/sh\ncase \"$*\" in *journalctl*) printf '{journal}';; *) printf '{state}';; esac\n"
    (folder / "ssh").write_text(script)
    (folder / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    return SshKey(folder / "key", "public")


def test_a_guest_with_the_node_image_is_not_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require_laid(22, guest(tmp_path, monkeypatch, "loaded\\nactive\\n"))


def test_a_guest_without_the_node_image_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = guest(tmp_path, monkeypatch, "loaded\\nfailed\\n", "error: min-free-space\\033[0m\\n")
    with pytest.raises(BootimgError) as caught:
        require_laid(22, key)
    assert caught.value.id == "node-image-not-laid"
    assert "min-free-space" in caught.value.context[0]
    assert "\033" not in caught.value.context[0]


def test_a_disk_whose_first_boot_was_without_the_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BootimgError, match="node-image-not-laid") as caught:
        require_laid(22, guest(tmp_path, monkeypatch, "not-found\\ninactive\\n"))
    assert "first boot" in (caught.value.hint or "")
