"""Ignition configs of a run, and ssh into a guest."""

from __future__ import annotations

import base64
import json
import socket
import threading
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from bootimg import process
from bootimg.errors import BootimgError, ExitCode
from bootimg.vm.ignition import Mount, escape_path, guest_config, read_config
from bootimg.vm.ssh import free_port, make_key, ssh_argv, wait_for_sshd


def config(**options: Any) -> dict[str, Any]:  # noqa: ANN401
    document = json.loads(guest_config(**options))
    assert isinstance(document, dict)
    return document


def test_autologin_on_the_console() -> None:
    made = config(console="ttyS0")
    assert made["ignition"] == {"version": "3.0.0"}
    assert made["passwd"]["users"] == [{"name": "core"}]
    [unit] = made["systemd"]["units"]
    assert unit["name"] == "serial-getty@ttyS0.service"
    assert "--autologin core" in unit["dropins"][0]["contents"]


def test_the_users_config_is_merged_by_ignition_itself() -> None:
    user = b'{"ignition": {"version": "3.4.0"}}'
    made = config(user=user, ssh_keys=["ssh-ed25519 AAA x"])
    [merged] = made["ignition"]["config"]["merge"]
    assert base64.b64decode(merged["source"].removeprefix("data:;base64,")) == user
    assert made["passwd"]["users"] == [{"name": "core", "sshAuthorizedKeys": ["ssh-ed25519 AAA x"]}]
    assert "systemd" not in made


def test_a_mount_is_a_unit_named_by_its_path() -> None:
    [unit] = config(mounts=[Mount("bind0", PurePosixPath("/var/mnt/my-src"))])["systemd"]["units"]
    assert unit["name"] == r"var-mnt-my\x2dsrc.mount"
    assert unit["enabled"]
    assert "What=bind0\nWhere=/var/mnt/my-src\nType=9p\nOptions=ro," in unit["contents"]


@pytest.mark.parametrize(
    "path", ["/", "/a/b", "/var/mnt/my-src", "/.hidden/x.y", "/with space/\u00e9", "/a_b:c"]
)
def test_escaping_is_systemds(path: str) -> None:
    escape = process.find("systemd-escape")
    if escape is None:
        pytest.skip("systemd-escape is not installed")
    assert escape_path(PurePosixPath(path)) == process.run([escape, "--path", path]).stdout.decode().strip()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "is not JSON"),
        ("[]", "it is not an object"),
        ("{}", "ignition.version is missing"),
        ('{"ignition": {"version": "2.2.0"}}', "has version 2.2.0"),
        ('{"ignition": []}', "ignition is not an object"),
        ('{"ignition": "3.0.0"}', "ignition is not an object"),
        ("[" * 100_000, "nested too deeply"),
    ],
    ids=range(7),
)
def test_an_invalid_config_is_refused(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "c.ign"
    path.write_text(text)
    with pytest.raises(BootimgError) as caught:
        read_config(path)
    assert (caught.value.id, caught.value.exit_code) == ("ignition-config-invalid", ExitCode.USAGE)
    assert why in caught.value.message


def test_a_missing_config_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BootimgError, match="cannot be read: No such file"):
        read_config(tmp_path / "nothing.ign")


def test_butane(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, butane = tmp_path / "c.bu", tmp_path / "bin" / "butane"
    path.write_text("variant: fcos\n")
    monkeypatch.setenv("PATH", f"{butane.parent}:/usr/bin:/bin")
    if process.find("butane") is None:
        with pytest.raises(BootimgError) as missing:
            read_config(path)
        assert (missing.value.id, missing.value.exit_code) == ("butane-missing", ExitCode.ENVIRONMENT)
    butane.parent.mkdir()
    butane.write_text(
        '#!/bin/sh\n[ "$1" = --strict ] && cat >&2; echo \'{"ignition": {"version": "3.3.0"}}\'\n'
    )
    butane.chmod(0o755)
    assert json.loads(read_config(path))["ignition"]["version"] == "3.3.0"
    butane.write_text("#!/bin/sh\necho 'error at $.passwd, line 3' >&2; exit 1\n")
    with pytest.raises(BootimgError) as failed:
        read_config(path)
    assert (failed.value.id, failed.value.context) == ("butane-failed", ("error at $.passwd, line 3",))


def test_key_and_command(tmp_path: Path) -> None:
    key = make_key(tmp_path)
    assert key.public.startswith("ssh-ed25519 ")
    assert key.private.stat().st_mode & 0o77 == 0
    assert ssh_argv(2222, key, "id -u")[-3:] == ["core@127.0.0.1", "--", "id -u"]
    assert ssh_argv(2222, key, "")[-1] == "core@127.0.0.1"


def test_only_a_greeting_counts_as_sshd() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def serve() -> None:
            for greeting in (b"", b"HTTP", b"SSH-2.0-x\r\n"):
                connection, _ = server.accept()
                connection.sendall(greeting)
                connection.close()

        threading.Thread(target=serve, daemon=True).start()
        asked: list[None] = []
        wait_for_sshd(port, 20, lambda: asked.append(None))
    assert len(asked) == 2


def test_waiting_for_sshd_ends() -> None:
    with pytest.raises(BootimgError, match="ssh-timeout"):
        wait_for_sshd(free_port(), 0, lambda: None)
