"""Extended attributes in an EROFS: stored in the inode, or once for all inodes that have the same."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterable

from bootimg.sysroot.composefs.xxh32 import xxh32
from bootimg.sysroot.entries import Xattrs
from bootimg.sysroot.unsupported import NativeUnsupportedError

# Prefixes that have a number instead of their text (fs/erofs/erofs_fs.h).
_PREFIXES = (
    (b"user.", 1),
    (b"system.posix_acl_access", 2),
    (b"system.posix_acl_default", 3),
    (b"trusted.", 4),
    (b"security.", 6),
)
_FILTER_SEED = 0x25BBE08F
_HEADER = 12
_MAX_SHARED = 128
Pair = tuple[bytes, bytes]


class AttributeTable:
    """The attributes of all inodes; those that two or more have are shared.

    Shared ones are sorted descending by name, length and value, which is composefs' order.
    """

    def __init__(self, all_attributes: Iterable[Xattrs]) -> None:
        counts = Counter(pair for attributes in all_attributes for pair in attributes)
        shared = [pair for pair, count in counts.items() if count > 1]
        shared.sort(key=lambda pair: (pair[0], len(pair[1]), pair[1]), reverse=True)
        self.has_acl = any(name.startswith(b"system.posix_acl_") for name, _ in counts)
        self._offsets: dict[Pair, int] = {}
        self.shared = b""
        for pair in shared:
            self._offsets[pair] = len(self.shared)
            self.shared += _entry(pair)

    def size(self, attributes: Xattrs) -> int:
        """How many bytes follow the inode."""
        return len(self.body(attributes, 0))

    def body(self, attributes: Xattrs, base: int) -> bytes:
        """What follows the inode; `base` is where the shared attributes begin in their first block."""
        if not attributes:
            return b""
        missing = 0xFFFFFFFF
        for name, _ in attributes:
            missing &= ~_filter_bit(name)
        ids = [(base + self._offsets[pair]) // 4 for pair in attributes if pair in self._offsets]
        if len(ids) >= _MAX_SHARED:
            raise NativeUnsupportedError("a file of the commit shares more than 127 attributes with others")
        own = b"".join(_entry(pair) for pair in attributes if pair not in self._offsets)
        return struct.pack(f"<IB7x{len(ids)}I", missing, len(ids), *ids) + own


def count_field(size: int) -> int:
    """The inode's field for a body of this size: in words of four bytes, the header counted as one."""
    return (size - _HEADER) // 4 + 1 if size else 0


def _split(name: bytes) -> tuple[int, bytes]:
    for prefix, index in _PREFIXES:
        if name.startswith(prefix):
            return index, name.removeprefix(prefix)
    return 0, name


def _entry(pair: Pair) -> bytes:
    index, rest = _split(pair[0])
    data = struct.pack("<BBH", len(rest), index, len(pair[1])) + rest + pair[1]
    return data + bytes(-len(data) % 4)


def _filter_bit(name: bytes) -> int:
    index, rest = _split(name)
    return 1 << (xxh32(rest, _FILTER_SEED + index) & 31)
