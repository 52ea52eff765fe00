"""Writing tar archives as streams: the headers of members, made by tarfile, and what fills the blocks.

Callers write the bytes themselves, so a member can be larger than memory.  The same members always give the
same bytes: nothing but the arguments goes into a header.

Formats: POSIX.1-2008 ustar and pax; the old GNU header (GNU tar's manual, "The Sparse Format", version 0),
which lists the regions of a sparse member that have data.
"""

from __future__ import annotations

import functools
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum

BLOCK = tarfile.BLOCKSIZE
RECORD = tarfile.RECORDSIZE
END = bytes(2 * BLOCK)
"""The end of an archive that is not filled up to a record."""

Region = tuple[int, int]
"""Offset and length of data in a sparse member."""

_NAME = tarfile.LENGTH_NAME
_MAX_ID, _MAX_SIZE = 0o7777777, 0o77777777777
_MAGIC, _MAP, _IS_EXTENDED = 257, 386, 482
_IN_HEADER, _IN_EXTENSION = 4, 21


class Dialect(Enum):
    """The magic of a header, with the version."""

    USTAR = tarfile.POSIX_MAGIC
    OLD_GNU = tarfile.GNU_MAGIC


def header(
    name: str,
    size: int = 0,
    *,
    kind: bytes = tarfile.REGTYPE,
    mode: int = 0o644,
    owner: tuple[int, int] = (0, 0),
    mtime: int = 0,
    link: str = "",
    user: str = "root",
    dialect: Dialect = Dialect.USTAR,
) -> bytes:
    """One header block; `size` bytes of data and their `padding` follow it.

    A directory's name ends in a slash.  `owner` is the numbers of user and group, `user` the name of both.
    A size of 8 GiB or more is in GNU's binary form.  ValueError for a name of more than 100 bytes.
    """
    if len(name.encode("utf-8", "surrogateescape")) > _NAME:
        raise ValueError(f"the name of a tar member is too long: {name}")
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.size, info.mtime, info.linkname = kind, mode, size, mtime, link
    info.uid, info.gid = owner
    info.uname = info.gname = user
    gnu = dialect is Dialect.OLD_GNU or size > _MAX_SIZE
    block = info.tobuf(tarfile.GNU_FORMAT if gnu else tarfile.USTAR_FORMAT, "utf-8", "surrogateescape")
    return _changed(block, _MAGIC, dialect.value) if gnu and dialect is Dialect.USTAR else block


def directory(name: str) -> bytes:
    """The header of a directory of root's; the name ends in a slash."""
    return header(name, kind=tarfile.DIRTYPE, mode=0o755)


def file_member(name: str, data: bytes, dialect: Dialect = Dialect.USTAR) -> bytes:
    """A whole member: a file of root's."""
    return header(name, len(data), dialect=dialect) + data + padding(len(data))


def pax_headers(
    name: str,
    size: int = 0,
    *,
    kind: bytes = tarfile.REGTYPE,
    mode: int = 0o644,
    owner: tuple[int, int] = (0, 0),
    mtime: int = 0,
    link: str = "",
    xattrs: Iterable[tuple[str, bytes]] = (),
) -> bytes:
    """The headers of a member with any name, link, owner, size and extended attributes, and no user's name.

    What a ustar header has no room for is in records before it.
    """
    raw = name.encode("utf-8", "surrogateescape")
    records = {f"SCHILY.xattr.{key}": value for key, value in xattrs}
    if len(raw) > _NAME or not name.isascii():
        records["path"] = raw
    numbers = {"uid": owner[0], "gid": owner[1], "size": size, "mtime": mtime}
    for key, number in numbers.items():
        if number > (_MAX_SIZE if key in ("size", "mtime") else _MAX_ID):
            records[key] = str(number).encode()
            numbers[key] = 0
    block = header(
        _cut(name),
        numbers["size"],
        kind=kind,
        mode=mode,
        owner=(numbers["uid"], numbers["gid"]),
        mtime=numbers["mtime"],
        link=_cut(link),
        user="",
    )
    return _long_link(link) + (_pax(records) if records else b"") + block


def sparse_headers(name: str, size: int, regions: Sequence[Region]) -> Iterator[bytes]:
    """The old GNU header of a sparse file, and as many extension blocks as its regions need.

    `size` is the file's own.  The data of the regions and the `padding` of their sum follow.
    """
    first, rest = regions[:_IN_HEADER], regions[_IN_HEADER:]
    stored = sum(length for _, length in regions)
    block = header(name, stored, kind=tarfile.GNUTYPE_SPARSE, dialect=Dialect.OLD_GNU)
    end = (b"\1" if rest else b"\0") + _number(size)
    yield _changed(block, _MAP, _map(first, _IN_HEADER) + end)
    while rest:
        here, rest = rest[:_IN_EXTENSION], rest[_IN_EXTENSION:]
        yield (_map(here, _IN_EXTENSION) + (b"\1" if rest else b"\0")).ljust(BLOCK, b"\0")


def padding(size: int) -> bytes:
    """The zeros that fill the last block of `size` bytes of data."""
    return bytes(-size % BLOCK)


def _cut(text: str) -> str:
    """The name for the header where a record has the whole name: cut, but a directory keeps its slash."""
    raw = text.encode("utf-8", "surrogateescape")
    if len(raw) <= _NAME:
        return text
    short = raw[: _NAME - 1] + b"/" if text.endswith("/") else raw[:_NAME]
    return short.decode("utf-8", "surrogateescape")


def _long_link(target: str) -> bytes:
    # GNU's header, because sqfstar 4.5 strips "/" and "../" from the front of a pax record's linkpath.
    data = target.encode("utf-8", "surrogateescape") + b"\0"
    if len(data) <= _NAME + 1:
        return b""
    return _extension("././@LongLink", tarfile.GNUTYPE_LONGLINK, len(data)) + data + padding(len(data))


def _pax(records: Mapping[str, bytes]) -> bytes:
    body = b"".join(_record(key, value) for key, value in sorted(records.items()))
    return _extension("././@PaxHeader", tarfile.XHDTYPE, len(body)) + body + padding(len(body))


@functools.lru_cache(1024)
def _extension(name: str, kind: bytes, size: int) -> bytes:
    # Kept, because the records of most members have the same few lengths.
    return header(name, size, kind=kind, user="")


def _record(key: str, value: bytes) -> bytes:
    # A record's length counts its own digits.
    rest = b" " + key.encode() + b"=" + value + b"\n"
    size = len(rest) + len(str(len(rest)))
    size = len(rest) + len(str(size))
    return str(size).encode() + rest


def _map(regions: Iterable[Region], places: int) -> bytes:
    return b"".join(_number(value) for region in regions for value in region).ljust(places * 24, b"\0")


def _number(value: int) -> bytes:
    """12 bytes: octal below 8 GiB, GNU's binary form from there."""
    return b"%011o\0" % value if value <= _MAX_SIZE else b"\x80" + value.to_bytes(11, "big")


def _changed(block: bytes, offset: int, data: bytes) -> bytes:
    """A header with other bytes at `offset`, and the checksum of that."""
    changed = bytearray(block)
    changed[offset : offset + len(data)] = data
    changed[148:156] = b" " * 8
    changed[148:156] = b"%06o\0 " % sum(changed)
    return bytes(changed)
