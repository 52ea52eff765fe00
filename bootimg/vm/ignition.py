"""Ignition configs: bootimg's own settings for the guest, and the user's config, which Ignition merges."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from bootimg import process
from bootimg.errors import BootimgError, ExitCode
from bootimg.untrusted.jsonfile import parse_object

# The oldest version of spec 3: every Ignition 2 accepts it, and merges configs of newer versions into it.
VERSION = "3.0.0"
BUTANE_SUFFIXES = (".bu", ".butane", ".yaml", ".yml")
AUTOLOGIN = """[Service]
ExecStart=
ExecStart=-/sbin/agetty --autologin core --noclear --keep-baud 115200,38400,9600 %I $TERM
"""
MOUNT = """[Unit]
Description=Folder of the host on {path}
Before=local-fs.target

[Mount]
What={tag}
Where={path}
Type=9p
Options=ro,trans=virtio,version=9p2000.L,msize=262144

[Install]
WantedBy=local-fs.target
"""


@dataclass(frozen=True, slots=True)
class Mount:
    """A 9p tag and its mount point in the guest."""

    tag: str
    path: PurePosixPath


@dataclass(frozen=True, slots=True)
class File:
    """A file of root's in the guest."""

    path: str
    mode: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Unit:
    """A systemd unit of the guest, which is enabled."""

    name: str
    contents: str


def read_config(path: Path) -> bytes:
    """An Ignition config.  `butane` converts a Butane config, which is recognised by its suffix.

    Errors: `ignition-config-invalid`, `butane-missing`, `butane-failed`.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _invalid(path, f"cannot be read: {error.strerror}") from None
    if path.suffix in BUTANE_SUFFIXES:
        data = _butane(path, data)
    _check(path, data)
    return data


def guest_config(
    *,
    user: bytes | None = None,
    console: str | None = None,
    ssh_keys: Sequence[str] = (),
    mounts: Sequence[Mount] = (),
    files: Sequence[File] = (),
    units: Sequence[Unit] = (),
) -> bytes:
    """A config with the given settings that merges the user's config `user`, if there is one.

    `console` is the serial port (such as ttyS0) where `core` is logged in; `ssh_keys` are core's.
    """
    ignition: dict[str, Any] = {"version": VERSION}
    if user is not None:
        ignition["config"] = {"merge": [{"source": _data_url(user)}]}
    config: dict[str, Any] = {"ignition": ignition}
    if console or ssh_keys:
        core: dict[str, Any] = {"name": "core"}
        config["passwd"] = {"users": [core | {"sshAuthorizedKeys": list(ssh_keys)} if ssh_keys else core]}
    if files:
        config["storage"] = {"files": [_file(each) for each in files]}
    enabled = [*map(_mount_unit, mounts), *units]
    found: list[dict[str, Any]] = [
        {"name": each.name, "enabled": True, "contents": each.contents} for each in enabled
    ]
    if console:
        dropin = {"name": "autologin-core.conf", "contents": AUTOLOGIN}
        found.append({"name": f"serial-getty@{console}.service", "dropins": [dropin]})
    if found:
        config["systemd"] = {"units": found}
    return json.dumps(config).encode()


def _data_url(data: bytes) -> str:
    return "data:;base64," + base64.b64encode(data).decode()


def _file(file: File) -> dict[str, Any]:
    contents = {"source": _data_url(file.data)}
    return {"path": file.path, "mode": file.mode, "overwrite": True, "contents": contents}


def _mount_unit(mount: Mount) -> Unit:
    return Unit(escape_path(mount.path) + ".mount", MOUNT.format(path=mount.path, tag=mount.tag))


def escape_path(path: PurePosixPath) -> str:
    """A path as a systemd unit's name (systemd.unit(5), "String Escaping for Inclusion in Unit Names")."""
    text = str(path).strip("/")
    escaped = []
    for index, char in enumerate(text):
        if char == "/":
            escaped.append("-")
        elif (char.isascii() and char.isalnum()) or char in ":_" or (char == "." and index):
            escaped.append(char)
        else:
            escaped += [f"\\x{byte:02x}" for byte in char.encode()]
    return "".join(escaped) or "-"


def _butane(path: Path, data: bytes) -> bytes:
    butane = process.find("butane")
    if butane is None:
        raise BootimgError(
            "butane-missing",
            f"{path} is a Butane config, but butane is not installed",
            hint="install it (`dnf install butane`, or from https://github.com/coreos/butane/releases), "
            "or give an Ignition config",
            exit_code=ExitCode.ENVIRONMENT,
        )
    done = process.run([butane, "--strict"], input=data, check=False, timeout=60)
    if done.returncode:
        raise BootimgError(
            "butane-failed",
            f"butane refuses {path}",
            context=done.stderr.decode(errors="replace").strip().splitlines()[-8:],
            exit_code=ExitCode.USAGE,
        )
    return done.stdout


def _check(path: Path, data: bytes) -> None:
    config = parse_object(data, lambda why: _invalid(path, f"cannot be used: {why}"))
    version = config.nested("ignition").required("version", str)
    if not version.startswith("3."):
        raise _invalid(path, f"has version {version:.80}; CoreOS accepts 3.x")


def _invalid(path: Path, why: str) -> BootimgError:
    return BootimgError(
        "ignition-config-invalid",
        f"{path} {why}",
        hint=f"a Butane config is recognised by its suffix: {', '.join(BUTANE_SUFFIXES)}",
        exit_code=ExitCode.USAGE,
    )
