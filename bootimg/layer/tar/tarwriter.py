"""Writing tar streams: POSIX ustar headers, pax records where ustar does not suffice.

The same entries always give the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping

from bootimg.layer.tar.entry import Entry, Kind
from bootimg.layer.tar.tarformat import BLOCK

END = bytes(2 * BLOCK)
_TYPES = {Kind.FILE: b"0", Kind.HARDLINK: b"1", Kind.SYMLINK: b"2", Kind.DIRECTORY: b"5"}
_MAX_ID, _MAX_SIZE = 0o7777777, 0o77777777777


def member(entry: Entry) -> bytes:
    """The headers of a member; after a file's come its content and `padding` of it."""
    records: dict[str, bytes] = {f"SCHILY.xattr.{name}": value for name, value in entry.xattrs}
    path = entry.path + ("/" if entry.kind is Kind.DIRECTORY else "")
    if len(path.encode()) > 100 or not path.isascii():
        records["path"] = path.encode()
    numbers = {"uid": entry.uid, "gid": entry.gid, "size": entry.size, "mtime": entry.mtime}
    for key, number in numbers.items():
        if number > (_MAX_SIZE if key in ("size", "mtime") else _MAX_ID):
            records[key] = str(number).encode()
            numbers[key] = 0
    header = _header(path, entry.target, _TYPES[entry.kind], entry.mode, numbers)
    return _long_link(entry.target) + (_pax(records) + header if records else header)


def _long_link(target: str) -> bytes:
    # GNU's header, for sqfstar 4.5 takes "/" and "../" off the front of a pax record's linkpath.
    data = target.encode() + b"\0"
    if len(data) <= 101:
        return b""
    numbers = {"uid": 0, "gid": 0, "size": len(data), "mtime": 0}
    return _header("././@LongLink", "", b"K", 0o644, numbers) + data + padding(len(data))


def padding(size: int) -> bytes:
    """The zeros that fill the last block of a content of `size` bytes."""
    return bytes(-size % BLOCK)


def _pax(records: Mapping[str, bytes]) -> bytes:
    body = b"".join(_record(key, value) for key, value in sorted(records.items()))
    numbers = {"uid": 0, "gid": 0, "size": len(body), "mtime": 0}
    return _header("././@PaxHeader", "", b"x", 0o644, numbers) + body + padding(len(body))


def _record(key: str, value: bytes) -> bytes:
    # A record's length counts its own digits.
    rest = b" " + key.encode() + b"=" + value + b"\n"
    size = len(rest) + len(str(len(rest)))
    size = len(rest) + len(str(size))
    return str(size).encode() + rest


def _header(path: str, target: str, kind: bytes, mode: int, numbers: Mapping[str, int]) -> bytes:
    fields = [
        path.encode()[:100].ljust(100, b"\0"),
        b"%07o\0" % mode,
        b"%07o\0" % numbers["uid"],
        b"%07o\0" % numbers["gid"],
        b"%011o\0" % numbers["size"],
        b"%011o\0" % numbers["mtime"],
        b" " * 8,
        kind,
        target.encode()[:100].ljust(100, b"\0"),
        b"ustar\00000".ljust(BLOCK - 257, b"\0"),
    ]
    block = b"".join(fields)
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]
