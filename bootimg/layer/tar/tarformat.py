"""Reading a layer's tar: POSIX ustar and pax, and the GNU long names; nothing is unpacked.

Formats: POSIX.1-2008 pax (ustar header blocks, `x` and `g` records) and GNU tar's `L`, `K` types.
Sparse files are refused: container layers never need them, and attacks use them.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass, field

from bootimg.errors import BootimgError
from bootimg.layer.tar.entry import Entry, Kind, clean_path, unsafe_path

BLOCK = 512
MAX_ENTRIES = 500_000
"""The most entries of all layers together; the largest known bootable images have about a fifth of it."""
MAX_HEADER = 1 << 20
"""The most bytes of one pax record block or long name; xattrs have at most 64 KiB each."""

MAX_RECORDS = 1000
"""The most pax records of one file, and of all files together: reading a file costs time for each."""

_XATTR = "SCHILY.xattr."
_EXTENSIONS = (b"x", b"g", b"L", b"K")
_SPECIAL = {b"3": "character device", b"4": "block device", b"6": "fifo"}
_WITHOUT_CONTENT = (b"1", b"2", b"5", *_SPECIAL)
"""Types without content; their size field is ignored."""
_KINDS = {b"0": Kind.FILE, b"\0": Kind.FILE, b"7": Kind.FILE, b"5": Kind.DIRECTORY, b"2": Kind.SYMLINK,
          b"1": Kind.HARDLINK, **dict.fromkeys(_SPECIAL, Kind.SPECIAL)}  # fmt: skip


@dataclass
class _Records:
    """What extension members declare for the next member (`shared`: for all members after them)."""

    pax: dict[str, bytes] = field(default_factory=dict)
    name: bytes | None = None
    link: bytes | None = None
    shared: dict[str, bytes] = field(default_factory=dict)

    def take(self, kind: bytes, body: bytes) -> None:
        if kind == b"x":
            self.pax = _pax(body)
        elif kind == b"g":
            self.shared |= _pax(body)
            if len(self.shared) > MAX_RECORDS:
                raise malformed_tar(f"more than {MAX_RECORDS} records for all files")
        elif kind == b"L":
            self.name = body.rstrip(b"\0")
        else:
            self.link = body.rstrip(b"\0")

    def next(self) -> _Records:
        return _Records(shared=self.shared)


def read_entries(data: mmap.mmap | bytes, layer: int = 0) -> Iterator[Entry]:
    """Every entry of a tar in its order; `offset` is where a file's content begins or would begin."""
    position, records = 0, _Records()
    while header := _header(data, position):
        kind = header[156:157]
        extension = kind in _EXTENSIONS
        start = position + BLOCK
        size = _number(header[124:136])
        if kind in _WITHOUT_CONTENT:
            size = 0
        elif not extension and "size" in records.pax:
            size = _decimal(records.pax["size"])
        if start + size > len(data):
            raise truncated()
        position = start + -(-size // BLOCK) * BLOCK
        if extension:
            records.take(kind, _extension(data, start, size))
        else:
            yield _entry(header, kind, records, size, layer, start)
            records = records.next()


def is_tar(data: bytes) -> bool:
    """Whether the first block is a header of a tar."""
    try:
        return _header(data, 0) is not None
    except BootimgError:
        return False


def first_path(data: bytes) -> str | None:
    """The path of a tar's first member, from its first bytes (64 KiB are enough); None if it is not a tar."""
    position, records = 0, _Records()
    try:
        while header := _header(data, position):
            kind, size = header[156:157], _number(header[124:136])
            if kind not in _EXTENSIONS:
                return clean_path(_text(records.pax.get("path") or records.name or _name(header)))
            records.take(kind, _extension(data, position + BLOCK, size))
            position += BLOCK + -(-size // BLOCK) * BLOCK
    except BootimgError:
        pass
    return None


def _header(data: mmap.mmap | bytes, position: int) -> bytes | None:
    if position > len(data):
        raise truncated()
    header = data[position : position + BLOCK]
    if not header.strip(b"\0"):
        # Two zero blocks end an archive; some writers leave both out.
        return None
    if len(header) < BLOCK:
        raise truncated()
    expected = sum(header[:148]) + sum(header[156:]) + 8 * 32
    if _number(header[148:156]) != expected:
        raise malformed_tar(f"the header at byte {position} has a wrong checksum")
    return header


def _entry(header: bytes, kind: bytes, records: _Records, size: int, layer: int, start: int) -> Entry:
    pax = {**records.shared, **records.pax}
    name = _text(pax.get("path") or records.name or _name(header))
    link = _text(pax.get("linkpath") or records.link or header[157:257].partition(b"\0")[0])
    path = clean_path(name)
    found = _kind(kind, path, name, link, pax)
    return Entry(
        path=path,
        kind=found,
        mode=_number(header[100:108]) & 0o7777,
        uid=_decimal(pax["uid"]) if "uid" in pax else _number(header[108:116]),
        gid=_decimal(pax["gid"]) if "gid" in pax else _number(header[116:124]),
        size=size if found is Kind.FILE else 0,
        mtime=_seconds(pax["mtime"]) if "mtime" in pax else _number(header[136:148]),
        xattrs=_xattrs(pax),
        target=_target(found, link, kind),
        layer=layer,
        offset=start,
    )


def _kind(kind: bytes, path: str, name: str, link: str, pax: dict[str, bytes]) -> Kind:
    if kind == b"S" or any(key.startswith("GNU.sparse.") for key in pax):
        raise BootimgError(
            "layer-sparse",
            f"{path[:200]} is stored as a sparse file, which OCI layers may not have",
            hint="make the layer without `tar --sparse`",
        )
    if kind not in _KINDS:
        raise malformed_tar(f"{path[:200]} has the unknown type {kind!r}")
    found = _KINDS[kind]
    if found is Kind.FILE and name.endswith("/"):
        found = Kind.DIRECTORY
    if found in (Kind.SYMLINK, Kind.HARDLINK) and not link:
        raise malformed_tar(f"{path[:200]} is a link to nothing")
    if not path and found is not Kind.DIRECTORY:
        raise unsafe_path(name, "would replace the root directory")
    return found


def _xattrs(pax: dict[str, bytes]) -> tuple[tuple[str, bytes], ...]:
    return tuple(sorted((key[len(_XATTR) :], value) for key, value in pax.items() if key.startswith(_XATTR)))


def _target(found: Kind, link: str, kind: bytes) -> str:
    if found is Kind.HARDLINK:
        return _link_target(link)
    return link if found is Kind.SYMLINK else _SPECIAL.get(kind, "")


def _link_target(link: str) -> str:
    # An absolute hardlink target means a path in the tree; GNU tar strips the slash too.
    try:
        return clean_path(link.lstrip("/"))
    except BootimgError:
        raise BootimgError(
            "layer-link-unsafe",
            f"a hardlink of the layer points outside of the tree: {link[:200]!r}",
            hint="the image is damaged or made to do harm; nothing of it was written",
        ) from None


def _name(header: bytes) -> bytes:
    name = header[:100].partition(b"\0")[0]
    # Only POSIX headers have a prefix: GNU's old format has other fields there.
    if header[257:263] == b"ustar\0" and (prefix := header[345:500].partition(b"\0")[0]):
        return prefix + b"/" + name
    return name


def _number(field: bytes) -> int:
    if field[0] & 0x80:
        value = int.from_bytes(field, "big") & ((1 << (8 * len(field) - 1)) - 1)
        if field[0] & 0x40:
            value -= 1 << (8 * len(field) - 1)
    else:
        text = field.partition(b"\0")[0].strip()
        try:
            value = int(text or b"0", 8)
        except ValueError:
            raise malformed_tar(f"{field!r} is not an octal number") from None
    return max(0, value)


def _decimal(text: bytes) -> int:
    if not text.isdigit() or len(text) > 18:
        raise malformed_tar(f"{text[:40]!r} is not a number")
    return int(text)


def _seconds(text: bytes) -> int:
    whole = text.partition(b".")[0]
    return 0 if whole.startswith(b"-") else _decimal(whole or b"0")


def _extension(data: mmap.mmap | bytes, start: int, size: int) -> bytes:
    if size > MAX_HEADER:
        raise malformed_tar(f"an extended header of {size} bytes")
    return data[start : start + size]


def _pax(body: bytes) -> dict[str, bytes]:
    records: dict[str, bytes] = {}
    body = body.rstrip(b"\0")
    for _ in range(MAX_RECORDS + 1):
        if not body:
            return records
        length, _, _ = body.partition(b" ")
        size = _decimal(length)
        record, body = body[len(length) + 1 : size], body[size:]
        key, equals, value = record.partition(b"=")
        if not equals or not value.endswith(b"\n"):
            raise malformed_tar("a pax record without `=` or newline")
        records[_text(key)] = value[:-1]
    raise malformed_tar(f"more than {MAX_RECORDS} records in one header")


def _text(raw: bytes) -> str:
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise unsafe_path(repr(raw[:200]), "is not UTF-8, which ostree needs") from None
    if "\0" in text:
        raise unsafe_path(text, "has a NUL byte in it")
    return text


def malformed_tar(what: str) -> BootimgError:
    """The error for bytes that are not a tar."""
    return BootimgError(
        "layer-tar-malformed",
        f"a layer of the image is not a well-formed tar: {what}",
        hint="make the image again, or copy it again from where it was made",
    )


def truncated() -> BootimgError:
    """The error for a tar or an archive that ends too early."""
    return BootimgError(
        "layer-truncated",
        "the image ends before all of it was read",
        hint="the download or copy was cut off: fetch it again",
    )
