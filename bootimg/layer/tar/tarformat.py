"""Reading a layer's tar: POSIX ustar and pax, and the GNU long names; nothing is unpacked.

Formats: POSIX.1-2008 pax (ustar header blocks) and what `bootimg.layer.tar.pax` reads.
Sparse files are refused: container layers never need them, and attacks use them.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator

from bootimg.errors import BootimgError
from bootimg.layer.tar.damaged import decimal, malformed_tar, text_of, truncated
from bootimg.layer.tar.entry import Entry, Kind, check_target, clean_path, unsafe_path
from bootimg.layer.tar.pax import EXTENSIONS, MAX_HEADER, SPARSE, Records, Xattrs, seconds, xattrs_of
from bootimg.untrusted.budget import Budget

BLOCK = 512
_PAGES, _RESIDENT = 64 << 10, 16 << 20
"""What reading a header brings of a mapped tar into this process's memory, and the most that stays there."""
_SPECIAL = {b"3": "character device", b"4": "block device", b"6": "fifo"}
_WITHOUT_CONTENT = (b"1", b"2", b"5", *_SPECIAL)
"""Types without content; their size field is ignored."""
_KINDS = {b"0": Kind.FILE, b"\0": Kind.FILE, b"7": Kind.FILE, b"5": Kind.DIRECTORY, b"2": Kind.SYMLINK,
          b"1": Kind.HARDLINK, **dict.fromkeys(_SPECIAL, Kind.SPECIAL)}  # fmt: skip


def read_entries(data: mmap.mmap | bytes, budget: Budget, layer: int = 0) -> Iterator[Entry]:
    """Every entry of a tar in its order; `offset` is where a file's content begins or would begin.

    The caller charges the budget for the entries that it keeps.
    """
    position, touched, records = 0, 0, Records()
    known: dict[Xattrs, Xattrs] = {}
    while header := _header(data, position):
        kind = header[156:157]
        extension = kind in EXTENSIONS
        start = position + BLOCK
        size = _size(header, kind, records)
        if start + size > len(data):
            raise truncated()
        position = start + -(-size // BLOCK) * BLOCK
        budget.tick("the headers of a tar")
        touched += _PAGES + (size if extension else 0)
        if touched > _RESIDENT and isinstance(data, mmap.mmap):
            data.madvise(mmap.MADV_DONTNEED)
            touched = 0
        if extension:
            records.take(kind, _extension(data, start, size))
        else:
            yield _entry(header, kind, records, known, size, layer, start)
            records = records.next()


def _size(header: bytes, kind: bytes, records: Records) -> int:
    if kind in _WITHOUT_CONTENT:
        return 0
    if kind not in EXTENSIONS and "size" in records.pax:
        return decimal(records.pax["size"])
    return _number(header[124:136])


def is_tar(data: bytes) -> bool:
    """Whether the first block is a header of a tar."""
    try:
        return _header(data, 0) is not None
    except BootimgError:
        return False


def first_path(data: bytes) -> str | None:
    """The path of a tar's first member, from its first bytes (64 KiB are enough); None if it is not a tar."""
    position, records = 0, Records()
    try:
        while header := _header(data, position):
            kind, size = header[156:157], _number(header[124:136])
            if kind not in EXTENSIONS:
                return clean_path(text_of(records.pax.get("path") or records.name or _name(header)))
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


def _entry(
    header: bytes,
    kind: bytes,
    records: Records,
    known: dict[Xattrs, Xattrs],
    size: int,
    layer: int,
    start: int,
) -> Entry:
    pax = records.merged
    name = text_of(pax.get("path") or records.name or _name(header))
    link = text_of(pax.get("linkpath") or records.link or header[157:257].partition(b"\0")[0])
    path = clean_path(name)
    found = _kind(kind, path, name, link, pax)
    xattrs = xattrs_of(pax)
    return Entry(
        path=path,
        kind=found,
        mode=_number(header[100:108]) & 0o7777,
        uid=decimal(pax["uid"]) if "uid" in pax else _number(header[108:116]),
        gid=decimal(pax["gid"]) if "gid" in pax else _number(header[116:124]),
        size=size if found is Kind.FILE else 0,
        mtime=seconds(pax["mtime"]) if "mtime" in pax else _number(header[136:148]),
        # Most files of a layer have one of a few sets.
        xattrs=known.setdefault(xattrs, xattrs),
        target=_target(found, link, kind),
        layer=layer,
        offset=start,
    )


def _kind(kind: bytes, path: str, name: str, link: str, pax: dict[str, bytes]) -> Kind:
    if kind == b"S" or any(key.startswith(SPARSE) for key in pax):
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


def _target(found: Kind, link: str, kind: bytes) -> str:
    if found is Kind.HARDLINK:
        return _link_target(link)
    return check_target(link) if found is Kind.SYMLINK else _SPECIAL.get(kind, "")


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


def _extension(data: mmap.mmap | bytes, start: int, size: int) -> bytes:
    if size > MAX_HEADER:
        raise malformed_tar(f"an extended header of {size} bytes")
    return data[start : start + size]
