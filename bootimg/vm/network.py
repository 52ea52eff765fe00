"""The network of a guest: it reaches other machines, but not the services of this machine's loopback.

QEMU's own network (`user`) connects the guest's 10.0.2.2 to 127.0.0.1 of this machine.  passt has an option
that prevents this.  If passt cannot be used, the guest reaches no other machine.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from bootimg import process
from bootimg.events import Events
from bootimg.hostpackages import Packages
from bootimg.vm.passtprobe import leads_to_loopback

PACKAGES = Packages(apt="passt", dnf="passt")
LOCALHOST = "127.0.0.1"
RESTRICTED = "user,id=net,restrict=on"
_OPEN = "user,id=net"
_DEADLINE = 20.0
# With IPv6, versions of 2025 forward datagrams for ::ffff:127.0.0.1 to the loopback.
_OPTIONS = ("--quiet", "--no-map-gw", "--ipv4-only")
RESOLV_CONF = Path("/etc/resolv.conf")
# Any address that the guest's other traffic does not need (link-local, RFC 3927).
_NAME_SERVER = "169.254.1.1"
_LIMITED = "the guest reaches no other machine: {}; with --network host it does, and this machine's loopback"


class Network(StrEnum):
    """What a guest reaches: other machines, nothing, or other machines and this machine's loopback."""

    ON = "on"
    OFF = "off"
    HOST = "host"


@dataclass(frozen=True, slots=True)
class Link:
    """QEMU's option `-netdev`, None for a machine without a network, and descriptors that QEMU inherits."""

    netdev: str | None = RESTRICTED
    descriptors: tuple[int, ...] = ()


@contextmanager
def linked(network: Network, ssh_port: int | None, events: Events) -> Iterator[Link]:
    """The guest's connection to its network; `ssh_port` on 127.0.0.1 is forwarded to the guest's port 22.

    QEMU must be started in the body.  The process that serves the network ends with QEMU in any case.
    """
    forward = f",hostfwd=tcp:{LOCALHOST}:{ssh_port}-:22" if ssh_port else ""
    if network is not Network.ON:
        yield Link(None if network is Network.OFF else _OPEN + forward)
        return
    if fault := passt_fault():
        events.message(_LIMITED.format(fault), "warning")
        yield Link(RESTRICTED + forward)
        return
    ours = start_passt(ssh_port)
    with ours:
        yield Link(f"socket,id=net,fd={ours.fileno()}", (ours.fileno(),))


def passt_fault() -> str | None:
    """Why passt cannot be the guest's network on this machine, or None.  The check starts passt."""
    passt = process.find("passt")
    if passt is None:
        return "passt is not installed"
    ours, theirs = socket.socketpair()
    with ours:
        if fault := _start(passt, theirs, None):
            return f"passt does not start: {fault}"
        try:
            address = leads_to_loopback(ours)
        except ConnectionError as error:
            return f"passt cannot be used: {error}"
    if address is not None:
        return f"{passt} is not safe: it connects the guest's {address} to this machine's loopback"
    return None


def start_passt(ssh_port: int | None) -> socket.socket:
    """Start passt in the background; it ends when all copies of the returned socket are closed."""
    ours, theirs = socket.socketpair()
    try:
        fault = _start(process.require("passt", packages=PACKAGES.apt), theirs, ssh_port)
    except BaseException:
        ours.close()
        raise
    assert fault is None, fault
    return ours


def _start(passt: Path, theirs: socket.socket, ssh_port: int | None) -> str | None:
    """Start passt on one end of a socket pair, and close that end; returns its error message, or None.

    passt goes to the background when it is ready.
    """
    forward = ["--tcp-ports", f"{LOCALHOST}/{ssh_port}:22"] if ssh_port else []
    words = [*_OPTIONS, "--fd", str(theirs.fileno()), *forward, *_resolver()]
    with theirs:
        done = process.run([passt, *words], check=False, timeout=_DEADLINE, pass_fds=(theirs.fileno(),))
    if done.returncode:
        errors = done.stderr.decode(errors="replace").strip().splitlines()
        return errors[-1] if errors else f"it exited with {done.returncode}"
    return None


def _resolver() -> list[str]:
    """Arguments that give the guest a name server if this machine's own is on the loopback.

    On that address the guest reaches only the name server.
    """
    try:
        lines = RESOLV_CONF.read_text(errors="replace").splitlines()
    except OSError:
        return []
    servers = [words[1] for line in lines if (words := line.split())[:1] == ["nameserver"] and words[1:]]
    if not servers or not all(server.startswith("127.") for server in servers):
        return []
    return ["--dns-host", servers[0], "--dns", _NAME_SERVER, "--dns-forward", _NAME_SERVER]
