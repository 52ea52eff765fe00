"""Where the metadata of a disk is, by kinds, and the checksums that it has.

Sources: UEFI's chapter 5 for GPT; "XFS Algorithms & Data Structures", 3rd edition, on-disk format version 5.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bootimg.crc32c import crc32c
from bootimg.sizes import KIB

BLOCK, SECTOR = 4 * KIB, 512
GPT_LENGTH = SECTOR * 34
"""Bytes of the MBR, the primary header and its table."""


@dataclass(frozen=True, slots=True)
class Record:
    """A structure of XFS: its size, which is its alignment too, and where its checksum is."""

    kind: str
    size: int
    checksum: int


RECORDS: Mapping[bytes, Record] = {
    b"XFSB": Record("superblocks", SECTOR, 224),
    b"XAGF": Record("free space", SECTOR, 216),
    b"XAGI": Record("inode groups", SECTOR, 312),
    b"XAFL": Record("free lists", SECTOR, 32),
    b"IN": Record("inodes", SECTOR, 100),
    **dict.fromkeys((b"AB3B", b"AB3C", b"RMB3", b"R3FC"), Record("space trees", BLOCK, 52)),
    **dict.fromkeys((b"IAB3", b"FIB3"), Record("inode trees", BLOCK, 52)),
    b"BMA3": Record("extent trees", BLOCK, 64),
    **dict.fromkeys((b"XDB3", b"XDD3", b"XDF3"), Record("folders", BLOCK, 4)),
}
"""By the magic that begins it."""
_INODES = "XFS inodes"
HASHED: Mapping[bytes, Record] = dict.fromkeys(
    (b"\x3d\xf1", b"\x3d\xff", b"\x3e\xbe", b"\x3b\xee"), Record("hash trees", BLOCK, 12)
)
"""By the magic at byte 8."""


def record_at(data: bytes, offset: int) -> tuple[int, Record] | None:
    """The start of the structure of XFS in which a byte of `data` is, and its kind."""
    sector, block = offset // SECTOR * SECTOR, offset // BLOCK * BLOCK
    for start in (sector, block):
        for length in (4, 2):
            found = RECORDS.get(data[start : start + length])
            if found and start + found.size > offset:
                return start, found
    hashed = HASHED.get(data[block + 8 : block + 10])
    return (block, hashed) if hashed else None


def areas_of_xfs(chunks: Sequence[tuple[int, bytes]]) -> Iterator[tuple[str, int]]:
    """The kind of metadata and the offset of each byte that is not zero; `chunks` are whole blocks."""
    for at, data in chunks:
        for start in range(0, len(data), SECTOR):
            if not any(data[start : start + SECTOR]):
                continue
            found = record_at(data, start)
            kind = f"XFS {found[1].kind if found else 'data'}"
            if kind == _INODES and not any(data[start + 2 : start + 4]):
                # No reader looks at the content of a free inode.
                continue
            for index, byte in enumerate(data[start : start + SECTOR], start):
                if byte:
                    yield kind, at + index


def with_checksum(data: bytearray, record: Record) -> None:
    """Put the checksum into a structure that has other bytes now."""
    struct.pack_into("<I", data, record.checksum, 0)
    struct.pack_into("<I", data, record.checksum, crc32c(bytes(data)))


def with_gpt_checksums(start: bytearray) -> None:
    """Put the checksums into a primary header and its table, if the header's numbers lead to it."""
    table_at, count, width, _ = struct.unpack_from("<QIII", start, SECTOR + 72)
    length = struct.unpack_from("<I", start, SECTOR + 12)[0]
    table = start[table_at * SECTOR :][: count * width] if count * width <= len(start) else b""
    struct.pack_into("<I", start, SECTOR + 88, zlib.crc32(table))
    struct.pack_into("<I", start, SECTOR + 16, 0)
    header = bytes(start[SECTOR : SECTOR + min(length, SECTOR)])
    struct.pack_into("<I", start, SECTOR + 16, zlib.crc32(header))
