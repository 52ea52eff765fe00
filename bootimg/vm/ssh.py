"""Login to a guest over ssh, with a key made for one run."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bootimg import process
from bootimg.errors import BootimgError

LOCALHOST = "127.0.0.1"
PACKAGES = "openssh-client (Debian) or openssh-clients (Fedora)"


@dataclass(frozen=True, slots=True)
class SshKey:
    """A key pair; `private` is a file, `public` the text for authorized_keys."""

    private: Path
    public: str


def make_key(folder: Path) -> SshKey:
    """An ed25519 pair without passphrase, in `folder`."""
    keygen = process.require("ssh-keygen", packages=PACKAGES)
    private = folder / "key"
    process.run([keygen, "-q", "-t", "ed25519", "-N", "", "-C", "bootimg", "-f", private], timeout=60)
    return SshKey(private, private.with_suffix(".pub").read_text().strip())


def free_port() -> int:
    """A TCP port of 127.0.0.1 that is free now."""
    with socket.socket() as listener:
        listener.bind((LOCALHOST, 0))
        port = listener.getsockname()[1]
        assert isinstance(port, int)
        return port


def wait_for_sshd(port: int, timeout: float, check: Callable[[], None]) -> None:
    """Wait until an ssh server answers on the port; `check` raises if waiting is pointless.

    QEMU accepts connections long before the guest does, so only the server's greeting counts.
    """
    deadline = time.monotonic() + timeout
    while not _greets(port):
        check()
        if time.monotonic() > deadline:
            raise BootimgError(
                "ssh-timeout",
                f"no ssh server answered in the guest within {timeout:.0f} s",
                hint="Ignition sets the key at the first boot only: has this disk been booted with --write?",
            )
        time.sleep(1)


def _greets(port: int) -> bool:
    try:
        with socket.create_connection((LOCALHOST, port), timeout=5) as connection:
            connection.settimeout(5)
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def ssh_argv(port: int, key: SshKey, command: str | None) -> list[str]:
    """The ssh command line for user core; without `command` it opens a shell."""
    ssh = process.require("ssh", packages=PACKAGES)
    options = {
        "IdentitiesOnly": "yes",
        "StrictHostKeyChecking": "no",
        "UserKnownHostsFile": "/dev/null",
        "LogLevel": "ERROR",
        "ConnectTimeout": "120",
    }
    words = [str(ssh), "-F", "none", "-i", str(key.private), "-p", str(port)]
    words += [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    return [*words, f"core@{LOCALHOST}", *(["--", command] if command else [])]
