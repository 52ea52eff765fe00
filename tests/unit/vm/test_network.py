"""A guest's network, and how a passt that leads to the loopback is told from one that does not."""

from __future__ import annotations

import os
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path

import pytest
from click.testing import CliRunner

from bootimg import process
from bootimg.cli.main import bootimg
from bootimg.doctor.finding import Status
from bootimg.doctor.requirements import guest_network, lacking
from bootimg.events import Event, Events, Message
from bootimg.vm import network
from bootimg.vm.network import Link, Network, linked, passt_fault
from bootimg.vm.passtprobe import leads_to_loopback
from bootimg.vm.ssh import free_port
from tests.unit.vm.test_host import program

needs_passt = pytest.mark.skipif(not process.find("passt"), reason="passt is not installed")


class Heard:
    """A sink that keeps warnings."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def __call__(self, event: Event) -> None:
        if isinstance(event, Message) and event.level == "warning":
            self.warnings.append(event.text)


def test_on_without_passt_is_restricted_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(process, "_SYSTEM_PATH", ())
    heard = Heard()
    with linked(Network.ON, 2222, Events([heard])) as link:
        assert link == Link("user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:2222-:22")
    assert len(heard.warnings) == 1
    assert "passt is not installed" in heard.warnings[0]
    assert "--network host" in heard.warnings[0]


def test_off_and_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "passt_fault", lambda: pytest.fail("it was tried"))
    with linked(Network.OFF, None, Events()) as link:
        assert link == Link(None)
    with linked(Network.HOST, 22, Events()) as link:
        assert link == Link("user,id=net,hostfwd=tcp:127.0.0.1:22-:22")
    with linked(Network.HOST, None, Events()) as link:
        assert link == Link("user,id=net")


def test_ssh_needs_a_network(tmp_path: Path) -> None:
    (tmp_path / "disk").touch()
    words = ["run", "--ssh=true", "--network", "off", "--cache", str(tmp_path / "c"), str(tmp_path / "disk")]
    done = CliRunner().invoke(bootimg, words)
    assert done.exit_code == 2
    assert "--ssh needs a network" in done.stderr


def test_a_passt_that_does_not_start_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "bin" / "passt", "echo 'No routable interface for IPv4' >&2; exit 1")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    assert passt_fault() == "passt does not start: No routable interface for IPv4"
    finding = guest_network()
    assert (finding.status, finding.version, finding.packages) == (Status.FAULT, "restricted", None)
    assert lacking([finding]) == []


@contextmanager
def served(leads_to: str | None) -> Iterator[socket.socket]:
    """A stand-in for passt: it answers ARP, and leads packets for one address to the loopback."""
    guest, host = socket.socketpair()
    thread = threading.Thread(target=stand_in, args=(host, leads_to))
    thread.start()
    with guest:
        yield guest
    thread.join()


def stand_in(host: socket.socket, leads_to: str | None) -> None:
    stream = host.makefile("rwb", 0)
    with host, stream:
        while head := stream.read(4):
            frame = stream.read(struct.unpack(">I", head)[0])
            assert frame
            kind, packet = int.from_bytes(frame[12:14], "big"), frame[14:]
            if kind == 0x0806:
                stream.write(head + frame)
                continue
            start, ends = (20, packet[16:20]) if kind == 0x0800 else (40, packet[24:40])
            protocol = packet[9] if kind == 0x0800 else packet[6]
            if leads_to and ip_address(ends) == ip_address(leads_to):
                lead(protocol, int.from_bytes(packet[start + 2 : start + 4], "big"), ends)


def lead(protocol: int, port: int, ends: bytes) -> None:
    kind = {6: socket.SOCK_STREAM, 17: socket.SOCK_DGRAM}[protocol]
    family = socket.AF_INET if len(ends) == 4 else socket.AF_INET6
    with socket.socket(family, kind) as out:
        try:
            out.connect((str(ip_address(ends)), port))
            out.send(b"x")
        except OSError:
            pass


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", "::1", "::", "::ffff:127.0.0.1"])
def test_each_way_to_the_loopback_is_seen(address: str) -> None:
    with served(address) as passt:
        found = leads_to_loopback(passt)
    assert found is not None
    assert ip_address(found) == ip_address(address)


def test_one_that_leads_elsewhere_is_well() -> None:
    with served("192.0.2.1") as passt:
        assert leads_to_loopback(passt) is None


def test_one_that_says_nothing_is_not_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bootimg.vm.passtprobe._TIMEOUT", 0.2)
    guest, host = socket.socketpair()
    with guest, host, pytest.raises(ConnectionError):
        leads_to_loopback(guest)


def passts() -> set[int]:
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if b"--no-map-gw" in path.read_bytes().split(b"\0"):
                found.add(int(path.parent.name))
        except OSError:
            continue
    return found


@needs_passt
def test_the_real_passt_is_probed_and_ends() -> None:
    before = passts()
    fault = passt_fault()
    assert fault is None or "connects the guest's" in fault or "does not start" in fault
    deadline = time.monotonic() + 10
    while passts() - before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert passts() <= before


@needs_passt
def test_the_real_passt_opens_the_ssh_port_and_ends_with_its_socket() -> None:
    if (fault := passt_fault()) and "does not start" in fault:
        pytest.skip(fault)
    port = free_port()
    with network.start_passt(port), socket.create_connection(("127.0.0.1", port), timeout=10):
        pass
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=10).close()
        except ConnectionRefusedError:
            break
        time.sleep(0.05)
    else:
        pytest.fail("it is still there")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nameserver 192.0.2.53\n", 0),
        ("# none\n", 0),
        ("nameserver 127.0.0.53\nnameserver 192.0.2.53\n", 0),
        ("options edns0\nnameserver 127.0.0.53\n", 6),
    ],
)
def test_a_name_server_on_the_loopback_is_handed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, words: int
) -> None:
    (tmp_path / "resolv.conf").write_text(text)
    monkeypatch.setattr(network, "RESOLV_CONF", tmp_path / "resolv.conf")
    found = network._resolver()
    assert len(found) == words
    assert found[:2] == (["--dns-host", "127.0.0.53"] if words else [])
