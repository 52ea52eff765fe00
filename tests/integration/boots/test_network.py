"""A guest asks for a service on this machine's loopback, with each network that it may have."""

from __future__ import annotations

import platform
import socket
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bootimg.arch import Arch
from bootimg.events import Event, Events, Message
from bootimg.vm import network
from bootimg.vm.accelerator import Accelerator
from bootimg.vm.diskimage import open_image
from bootimg.vm.guest import Guest
from bootimg.vm.kernel import Kernel, find_kernel
from bootimg.vm.machine import Machine
from bootimg.vm.network import RESTRICTED, Network, linked, passt_fault
from bootimg.vm.ssh import free_port, wait_for_sshd

WORD = "the-word-of-the-service"
DEADLINE = 240
MODULES = ("virtio_pci", "virtio_net")
# Root in a guest can send packets for 127.0.0.1 through a network card: the last address that is asked for.
INIT = """#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
for module in /modules/*; do insmod $module; done
ip link set lo up; ip link set eth0 up
udhcpc -i eth0 -n -q -t 10 -T 1 -s /lease >/dev/null 2>&1
say() { echo "SAID-$((6*7)) $1"; }
gateway=$(ip route | sed -n 's/^default via \\([^ ]*\\).*/\\1/p')
say "address=$(ip -4 -o addr show eth0 | wc -l)"
(while :; do echo SSH-2.0-guest | nc -l -p 22; done) &
ask() { nc -w 3 $1 PORT </dev/null 2>/dev/null | grep -q WORD && say "$2=reached" || say "$2=nothing"; }
ask 10.0.2.2 slirp
ask ${gateway:-10.0.2.2} gateway
echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet
ip addr del 127.0.0.1/8 dev lo
ip route add 127.0.0.1 via ${gateway:-10.0.2.2} dev eth0
ask 127.0.0.1 loopback
say end=end
while :; do sleep 1; done
"""
LEASE = """#!/bin/sh
[ "$1" = bound ] || exit 0
ip addr add $ip/${mask:-24} dev $interface
for each in $router; do ip route add $each dev $interface; ip route add default via $each; done
"""

pytestmark = [
    pytest.mark.boot,
    pytest.mark.skipif(platform.machine() != "x86_64", reason="the guest is of x86_64"),
    pytest.mark.skipif(not Path("/bin/busybox").exists(), reason="busybox is not installed"),
]


@pytest.fixture(scope="module")
def service() -> Iterator[int]:
    """The port of a service on 127.0.0.1 that sends the word to every client."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, args=(server,), daemon=True).start()
        yield server.getsockname()[1]


def serve(server: socket.socket) -> None:
    while True:
        try:
            connection, _ = server.accept()
            with connection:
                connection.sendall(WORD.encode() + b"\n")
        except OSError:
            return


def entry(name: str, data: bytes, mode: int) -> bytes:
    """A member of a newc archive (Documentation/driver-api/early-userspace/buffer-format.rst)."""
    fields = [0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0]
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
    return head.ljust((len(head) + 3) // 4 * 4, b"\0") + data.ljust((len(data) + 3) // 4 * 4, b"\0")


def initramfs(kernel: Kernel, port: int) -> bytes:
    files = {
        "bin/busybox": Path("/bin/busybox").read_bytes(),
        "init": INIT.replace("PORT", str(port)).replace("WORD", WORD).encode(),
        "lease": LEASE.encode(),
        **{f"modules/{number:02}.ko": each.read_bytes() for number, each in enumerate(modules(kernel))},
    }
    archive = b"".join(entry(name, b"", stat.S_IFDIR | 0o755) for name in ("bin", "modules", "dev"))
    archive += b"".join(entry(name, data, stat.S_IFREG | 0o755) for name, data in files.items())
    return archive + entry("TRAILER!!!", b"", 0)


def modules(kernel: Kernel) -> list[Path]:
    """The modules that the network card needs, in the order of loading; those built in are none."""
    lines = (kernel.modules / "modules.dep").read_text().splitlines()
    needs = {Path(path).name.partition(".")[0]: (path, rest.split()) for path, _, rest in
             (line.partition(":") for line in lines)}  # fmt: skip
    order: dict[str, None] = {}
    for name in MODULES:
        path, rest = needs.get(name, ("", []))
        order.update(dict.fromkeys([*reversed(rest), *([path] if path else [])]))
    if any(not path.endswith(".ko") for path in order):
        pytest.skip("the kernel's modules are compressed")
    return [kernel.modules / path for path in order]


@contextmanager
def booted(folder: Path, service: int, asked: Network, events: Events) -> Iterator[tuple[Guest, int, str]]:
    """A guest, the port that leads to its 22, and what QEMU was given for its network."""
    kernel, disk, port = find_kernel(), folder / "disk", free_port()
    disk.write_bytes(bytes(1 << 20))
    (folder / "initramfs").write_bytes(initramfs(kernel, service))
    boot = ["-kernel", str(kernel.path), "-initrd", str(folder / "initramfs")]
    boot += ["-append", "console=ttyS0 quiet panic=-1"]
    with linked(asked, port, events) as link:
        machine = Machine(
            arch=Arch.X86_64, accelerator=Accelerator("tcg", "the tests' choice"), disk=open_image(disk),
            console=folder / "console.log", netdev=link.netdev, memory_mib=512, options=boot,
        )  # fmt: skip
        with Guest(machine, descriptors=link.descriptors) as guest:
            yield guest, port, link.netdev or ""


def answers(guest: Guest) -> dict[str, str]:
    found = {}
    for name in ("address", "slirp", "gateway", "loopback", "end"):
        found[name] = guest.wait_for(rf"SAID-42 {name}=(\w+)", DEADLINE)[1]
    return found


NOTHING = {"address": "1", "slirp": "nothing", "gateway": "nothing", "loopback": "nothing", "end": "end"}


def test_with_qemu_s_own_network_the_guest_reaches_the_loopback(tmp_path: Path, service: int) -> None:
    """What `--network host` is for, and that these tests would see it."""
    with booted(tmp_path, service, Network.HOST, Events()) as (guest, _, _):
        assert answers(guest) == NOTHING | dict.fromkeys(("slirp", "gateway", "loopback"), "reached")


def test_without_passt_the_guest_reaches_nothing_and_has_its_port(
    tmp_path: Path, service: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[Event] = []

    def hear(event: Event) -> None:
        said.append(event)

    monkeypatch.setattr(network, "passt_fault", lambda: "passt is not installed")
    with booted(tmp_path, service, Network.ON, Events([hear])) as (guest, port, netdev):
        assert netdev.startswith(RESTRICTED)
        assert answers(guest) == NOTHING
        wait_for_sshd(port, DEADLINE, guest.check)
    assert any(isinstance(each, Message) and "passt is not installed" in each.text for each in said)


def test_with_passt_the_guest_has_a_network_and_not_the_loopback(tmp_path: Path, service: int) -> None:
    if fault := passt_fault():
        pytest.skip(fault)
    with booted(tmp_path, service, Network.ON, Events()) as (guest, port, netdev):
        assert netdev.startswith("socket,")
        assert answers(guest) == NOTHING
        wait_for_sshd(port, DEADLINE, guest.check)
