"""ostree's objects in bytes: headers, directory metadata, directory trees, and their checksums.

Formats: libostree's ostree-core.h (`OSTREE_FILE_HEADER_GVARIANT_FORMAT` and its neighbours), serialised
by the GVariant specification.  All integers of ostree's metadata are big-endian.  Xattrs are written in
the given order: libostree sorts them by name since 2025.2, older objects may have any order.
"""

from __future__ import annotations

import hashlib
import stat
import struct
from collections.abc import Iterable, Sequence

Xattrs = Sequence[tuple[str, bytes]]


def file_header(uid: int, gid: int, mode: int, target: str, xattrs: Xattrs) -> bytes:
    """The header that a content object's checksum begins with; `mode` has the file type's bits.

    It is a big-endian length, padding to eight bytes, and the variant `(uuuusa(ayay))`.
    """
    fixed = struct.pack(">IIII", uid, gid, mode, 0)
    text = target.encode() + b"\0"
    variant = _framed(fixed + text + _xattrs(xattrs), [len(fixed) + len(text)])
    return struct.pack(">II", len(variant), 0) + variant


def content_checksum(header: bytes, content: Iterable[bytes] = ()) -> str:
    """The checksum (hexadecimal) of a content object."""
    check = hashlib.sha256(header)
    for chunk in content:
        check.update(chunk)
    return check.hexdigest()


def directory_metadata(uid: int, gid: int, mode: int, xattrs: Xattrs) -> bytes:
    """A dirmeta object, the variant `(uuua(ayay))`; `mode` is the permission bits."""
    return struct.pack(">III", uid, gid, stat.S_IFDIR | mode) + _xattrs(xattrs)


def directory_tree(files: Sequence[tuple[str, str]], folders: Sequence[tuple[str, str, str]]) -> bytes:
    """A dirtree object, the variant `(a(say)a(sayay))`.

    `files` are names and checksums, `folders` names with the checksums of dirtree and dirmeta; both
    must be sorted by name.
    """
    first = _array(
        [_framed(name := text.encode() + b"\0", [len(name)], bytes.fromhex(sha)) for text, sha in files]
    )
    second = _array(
        [
            _framed(
                name := text.encode() + b"\0",
                [len(name) + 32, len(name)],
                bytes.fromhex(tree) + bytes.fromhex(meta),
            )
            for text, tree, meta in folders
        ]
    )
    return _framed(first, [len(first)], second)


def _xattrs(xattrs: Xattrs) -> bytes:
    pairs = []
    for name, value in xattrs:
        key = name.encode() + b"\0"
        pairs.append(_framed(key + value, [len(key)]))
    return _array(pairs)


def _array(items: Sequence[bytes]) -> bytes:
    # An array of variable-sized items: the items, then where each ends.
    if not items:
        return b""
    ends, position = [], 0
    for item in items:
        position += len(item)
        ends.append(position)
    return _framed(b"".join(items), ends)


def _framed(body: bytes, offsets: Sequence[int], rest: bytes = b"") -> bytes:
    # The size of the whole container decides the width of its framing offsets.
    body += rest
    for width in (1, 2, 4):
        if len(body) + width * len(offsets) < 1 << (8 * width):
            break
    return body + b"".join(offset.to_bytes(width, "little") for offset in offsets)


def parse_file_metadata(data: bytes) -> tuple[int, int, int, tuple[tuple[str, bytes], ...]]:
    """uid, gid, mode and xattrs of a content object, from a bare-user repository's user.ostreemeta.

    It is the variant `(uuua(ayay))`, as `directory_metadata` writes it.
    """
    uid, gid, mode = struct.unpack_from(">III", data)
    return uid, gid, mode, parse_xattrs(data[12:])


def parse_xattrs(data: bytes) -> tuple[tuple[str, bytes], ...]:
    """The pairs of a variant `a(ayay)`."""
    pairs = []
    for item in _items(data):
        size = _offset_size(len(item))
        end = int.from_bytes(item[-size:], "little")
        pairs.append((item[: end - 1].decode(), item[end:-size]))
    return tuple(pairs)


def xattrs_variant(xattrs: Xattrs) -> bytes:
    """The pairs as the variant `a(ayay)`."""
    return _xattrs(xattrs)


def parse_directory_tree(data: bytes) -> tuple[list[tuple[str, str]], list[tuple[str, str, str]]]:
    """Files (name, checksum) and folders (name, dirtree, dirmeta) of a dirtree object."""
    size = _offset_size(len(data))
    end = int.from_bytes(data[-size:], "little")
    files = []
    for item in _items(data[:end]):
        name, rest = _named(item, 1)
        files.append((name, rest.hex()))
    folders = []
    for item in _items(data[end:-size]):
        name, rest = _named(item, 2)
        folders.append((name, rest[:32].hex(), rest[32:].hex()))
    return files, folders


def checked_directory_metadata(data: bytes) -> tuple[int, int, int, tuple[tuple[str, bytes], ...]]:
    """uid, gid, mode and xattrs of a dirmeta object; ValueError unless it is in normal form."""
    uid, gid, mode, xattrs = parse_file_metadata(data)
    if directory_metadata(uid, gid, mode & 0o7777, xattrs) != data:
        raise ValueError("it is not in normal form")
    return uid, gid, mode, xattrs


def checked_directory_tree(data: bytes) -> tuple[list[tuple[str, str]], list[tuple[str, str, str]]]:
    """As `parse_directory_tree`; ValueError unless it is in normal form and its names can be files'."""
    files, folders = parse_directory_tree(data)
    if directory_tree(files, folders) != data:
        raise ValueError("it is not in normal form")
    names = [name for name, *_ in files], [name for name, *_ in folders]
    if any(name in ("", ".", "..") or "/" in name for each in names for name in each):
        raise ValueError("it holds a name that no file can have")
    if any(each != sorted(set(each)) for each in names) or set(names[0]) & set(names[1]):
        raise ValueError("its names are not sorted and unique")
    return files, folders


def commit_strings(data: bytes) -> dict[str, str | None]:
    """The metadata of a commit, the `a{sv}` that is its first child; None for what is not a string."""
    size = _offset_size(len(data))
    # The framing offsets stand at the end, the last child's first.
    metadata = data[: int.from_bytes(data[len(data) - size :], "little")]
    found = {}
    for item in _items(metadata, align=8):
        width = _offset_size(len(item))
        end = int.from_bytes(item[-width:], "little")
        value, _, kind = item[-(-end // 8) * 8 : -width].rpartition(b"\0")
        found[item[: end - 1].decode()] = value[:-1].decode() if kind == b"s" else None
    return found


def _named(item: bytes, checksums: int) -> tuple[str, bytes]:
    size = _offset_size(len(item))
    end = int.from_bytes(item[-size:], "little")
    return item[: end - 1].decode(), item[end : len(item) - size * checksums]


def parse_commit(data: bytes) -> tuple[str, str]:
    """The dirtree and dirmeta of a commit's root, from the variant `(a{sv}aya(say)sstayay)`."""
    size = _offset_size(len(data))
    table = len(data) - 6 * size
    # The end of each child of variable size, last child first; the time stamp after the body is aligned.
    ends = [int.from_bytes(data[at : at + size], "little") for at in range(table, len(data), size)]
    body, tree = ends[1], ends[0]
    start = -(-body // 8) * 8 + 8
    root, meta = data[start:tree], data[tree:table]
    if not len(root) == len(meta) == 32:
        raise ValueError("the commit names no root directory")
    return root.hex(), meta.hex()


def _items(array: bytes, align: int = 1) -> list[bytes]:
    if not array:
        return []
    size = _offset_size(len(array))
    table = int.from_bytes(array[-size:], "little")
    ends = [int.from_bytes(array[at : at + size], "little") for at in range(table, len(array), size)]
    starts = [0, *ends[:-1]]
    # Overlapping items could together be many times as large as the array.
    if starts != sorted(starts):
        raise ValueError("its items are not in order")
    return [array[-(-start // align) * align : end] for start, end in zip(starts, ends, strict=True)]


def _offset_size(length: int) -> int:
    """The width in bytes of the framing offsets of a container of `length` bytes."""
    return next(size for size in (1, 2, 4, 8) if length < 1 << 8 * size)
