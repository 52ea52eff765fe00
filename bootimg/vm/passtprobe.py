"""Tests whether passt connects its guest to this machine's loopback, with packets a hostile guest would send.

Versions of 2023 do so for packets to 127.0.0.1 or ::1, versions of 2025 for datagrams to ::ffff:127.0.0.1,
which root in a guest can send.  The version number does not help (Debian 12's is "unknown version").
"""

from __future__ import annotations

import select
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from ipaddress import IPv4Address, IPv6Address, ip_address

# QEMU's format for stream sockets: each frame behind its length.
_LENGTH = struct.Struct(">I")
_MAC = b"\x52\x54\x00\x12\x34\x56"
_IPV4, _ARP, _IPV6 = 0x0800, 0x0806, 0x86DD
_TIMEOUT = 5.0
_DELIVERY = 0.02
# A guest's address and the address that it sends to.  Linux treats all of the latter as its loopback.
_PROBES = (
    ("192.0.2.15", "127.0.0.1"),
    ("192.0.2.15", "0.0.0.0"),
    ("fe80::15", "::1"),
    ("fe80::15", "::"),
    ("fe80::15", "::ffff:127.0.0.1"),
)
_KINDS = {socket.SOCK_DGRAM: 17, socket.SOCK_STREAM: 6}
_LOOPBACKS = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}

Address = IPv4Address | IPv6Address


def leads_to_loopback(passt: socket.socket) -> str | None:
    """An address that connects a guest to this machine's loopback, or None.

    `passt` is the guest's end of its socket; it cannot be used afterwards.  ConnectionError if passt does not
    answer.
    """
    for guest, target in _PROBES:
        for kind in _KINDS:
            with ExitStack() as stack:
                listeners = [stack.enter_context(each) for each in _listeners(kind)]
                answered = _ask(passt, guest, target, kind, listeners)
                if select.select(listeners, [], [], _DELIVERY)[0]:
                    return target
                if not answered:
                    raise ConnectionError("it does not answer")
    return None


def _ask(
    passt: socket.socket, guest: str, target: str, kind: int, listeners: Sequence[socket.socket]
) -> bool:
    """Send a packet to each listener's port; returns whether passt has processed them and still runs."""
    ends = ip_address(guest), ip_address(target)
    ports = [int(listener.getsockname()[1]) for listener in listeners]
    try:
        for port in ports:
            passt.sendall(_framed(_packet(*ends, _KINDS[socket.SocketKind(kind)], port)))
        return _has_answered(passt)
    except OSError:
        return False


def _listeners(kind: socket.SocketKind) -> Iterator[socket.socket]:
    for family, address in _LOOPBACKS.items():
        try:
            listener = socket.socket(family, kind)
            listener.bind((address, 0))
        except OSError:  # this machine has no IPv6
            continue
        if kind is socket.SOCK_STREAM:
            listener.listen()
        yield listener


def _has_answered(passt: socket.socket) -> bool:
    """Whether passt answers an ARP request; all frames before it have been processed then."""
    addresses = ip_address("192.0.2.15").packed, ip_address("192.0.2.77").packed
    request = struct.pack(">HHBBH6s4s6s4s", 1, _IPV4, 6, 4, 1, _MAC, addresses[0], bytes(6), addresses[1])
    passt.sendall(_framed(_ethernet(_ARP, request)))
    passt.settimeout(_TIMEOUT)
    data, deadline = b"", time.monotonic() + _TIMEOUT
    while time.monotonic() < deadline:
        while len(data) >= 4 and len(data) >= 4 + (length := _LENGTH.unpack_from(data)[0]):
            if data[16:18] == _ARP.to_bytes(2, "big"):
                return True
            data = data[4 + length :]
        received = passt.recv(65536)
        if not received:
            return False
        data += received
    return False


def _framed(frame: bytes) -> bytes:
    return _LENGTH.pack(len(frame)) + frame


def _ethernet(kind: int, payload: bytes) -> bytes:
    return b"\xff" * 6 + _MAC + struct.pack(">H", kind) + payload


def _packet(source: Address, target: Address, protocol: int, port: int) -> bytes:
    """A frame with TCP's first segment, or with a datagram."""
    ends = source.packed + target.packed
    if protocol == _KINDS[socket.SOCK_STREAM]:
        segment, at = struct.pack(">HHIIBBHHH", 40000, port, 1, 0, 5 << 4, 2, 65535, 0, 0), 16
    else:
        segment, at = struct.pack(">HHHH4s", 40000, port, 12, 0, b"test"), 6
    checksum = _checksum(ends + struct.pack(">II", len(segment), protocol) + segment)
    segment = segment[:at] + checksum + segment[at + 2 :]
    if source.version == 6:
        return _ethernet(_IPV6, struct.pack(">IHBB", 6 << 28, len(segment), protocol, 64) + ends + segment)
    header = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(segment), 1, 0, 64, protocol, 0) + ends
    return _ethernet(_IPV4, header[:10] + _checksum(header) + header[12:] + segment)


def _checksum(data: bytes) -> bytes:
    """The Internet checksum (RFC 1071)."""
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack(">H", ~total & 0xFFFF)
