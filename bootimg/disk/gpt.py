"""GUID partition tables: written to and read from a disk file, without a device or a tool.

The format is that of the UEFI specification, chapter 5 ("GUID Partition Table (GPT) Disk Layout").
Offsets and lengths of partitions are in sectors of the disk, as in the table itself; `Gpt.span` returns
bytes.
"""

from __future__ import annotations

import os
import struct
import zlib
from dataclasses import dataclass, field
from enum import IntFlag
from pathlib import Path
from uuid import NAMESPACE_URL, UUID, uuid5

from bootimg.disk.extents import Source, write_fully
from bootimg.errors import BootimgError
from bootimg.sizes import MIB

_HEADER = struct.Struct("<8sIIIIQQQQ16sQIII")
_ENTRY = struct.Struct("<16s16sQQQ72s")
_MBR_ENTRY = struct.Struct("<B3sB3sII")
_SIGNATURE = b"EFI PART"
_REVISION = 0x00010000
_ENTRIES = 128
_TABLE_SIZE = _ENTRIES * _ENTRY.size
_MBR_PARTITIONS = 446
_NAMESPACE = uuid5(NAMESPACE_URL, "urn:bootimg:partition")
SECTOR_SIZES = (512, 4096)


class Attribute(IntFlag):
    """Attribute bits of a partition; the partition's type defines the higher ones."""

    REQUIRED = 1
    NO_BLOCK_IO = 2
    LEGACY_BIOS_BOOTABLE = 4


@dataclass(frozen=True, slots=True)
class Partition:
    """One entry of the table; `number` counts from 1, `start` and `sectors` are in sectors."""

    number: int
    name: str
    type_guid: UUID
    guid: UUID
    start: int
    sectors: int
    attributes: int = 0

    @property
    def last(self) -> int:
        """The last sector of the partition."""
        return self.start + self.sectors - 1


@dataclass(frozen=True, slots=True)
class Gpt:
    """The partition table of a disk of `sectors` sectors; an impossible layout raises `gpt-layout-invalid`.

    `first_usable` is the first usable sector that the header declares.  None means the sector at 1 MiB, as
    sfdisk writes it, or the first partition's start if that is lower.  In a `hybrid` table (of an ISO that is
    a disk too) partitions may overlap each other and the table itself.
    """

    disk_guid: UUID
    sectors: int
    partitions: tuple[Partition, ...]
    sector_size: int = 512
    first_usable: int | None = field(default=None, compare=False)
    hybrid: bool = field(default=False, compare=False)

    def __post_init__(self) -> None:
        problem = _problem(self)
        if problem:
            raise BootimgError(
                "gpt-layout-invalid",
                f"the partition table is impossible: {problem}",
                hint="make the partitions smaller, or the disk larger",
            )

    @property
    def size(self) -> int:
        """The disk's size in bytes."""
        return self.sectors * self.sector_size

    @property
    def table_sectors(self) -> int:
        """The size in sectors of the array of 128 entries."""
        return _TABLE_SIZE // self.sector_size

    @property
    def first_lba(self) -> int:
        """The header's first usable sector."""
        if self.first_usable is not None:
            return self.first_usable
        starts = [partition.start for partition in self.partitions]
        return min([MIB // self.sector_size, *starts])

    @property
    def last_lba(self) -> int:
        """The header's last usable sector: the backup table and its header follow."""
        return self.sectors - self.table_sectors - 2

    def partition(self, number: int) -> Partition:
        """The partition with that number; KeyError if it does not exist."""
        for partition in self.partitions:
            if partition.number == number:
                return partition
        raise KeyError(number)

    def span(self, number: int) -> tuple[int, int]:
        """Offset and length of a partition in bytes."""
        partition = self.partition(number)
        return partition.start * self.sector_size, partition.sectors * self.sector_size


def partition_guid(layer_digest: str, role: str) -> UUID:
    """The GUID of the partition `role` (its name) in every disk made from one layer."""
    return uuid5(_NAMESPACE, f"{layer_digest}/{role}")


def write_gpt(disk: Path, gpt: Gpt) -> None:
    """Write the protective MBR, both headers and both tables; a missing file is created, sparse.

    The boot code before the MBR's partition table and the content of partitions stay unchanged.
    """
    fd = os.open(disk, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        if os.fstat(fd).st_size != gpt.size:
            os.ftruncate(fd, gpt.size)
        write_fully(fd, _protective_mbr(gpt), _MBR_PARTITIONS)
        write_fully(fd, primary_copy(gpt), gpt.sector_size)
        backup = backup_copy(gpt)
        write_fully(fd, backup, gpt.size - len(backup))
    finally:
        os.close(fd)


def primary_copy(gpt: Gpt) -> bytes:
    """The header and the table that begin in the disk's second sector."""
    table = _table(gpt)
    return _header(gpt, table, here=1, other=gpt.sectors - 1, table_at=2) + table


def backup_copy(gpt: Gpt) -> bytes:
    """The table and the header that end the disk."""
    table = _table(gpt)
    last = gpt.sectors - 1
    return table + _header(gpt, table, here=last, other=1, table_at=last - gpt.table_sectors)


def read_gpt(
    source: Source, sector_size: int | None = None, *, backup: bool = True, hybrid: bool = False
) -> Gpt:
    """Read a disk's table; `gpt-damaged` if a checksum is wrong or the two copies differ.

    Without `sector_size` it is detected.  The disk may be longer than its table declares (an image that was
    enlarged); `Gpt.sectors` is the table's value.  `backup=False` reads only the primary copy, for a view of
    a disk that has nothing else.  A `hybrid` table (see `Gpt`) has an MBR with partitions of its own.
    """
    for size in SECTOR_SIZES if sector_size is None else (sector_size,):
        if source.size >= 3 * size and source.read(size, len(_SIGNATURE)) == _SIGNATURE:
            break
    else:
        raise _damaged("it has no GPT header")
    protective = source.read(_MBR_PARTITIONS, 16)[4] == 0xEE
    if source.read(510, 2) != b"\x55\xaa" or not (protective or hybrid):
        raise _damaged("it has no protective MBR")
    primary, other = _read_copy(source, size, 1, hybrid=hybrid)
    if not backup:
        return primary
    if (other + 1) * size > source.size:
        raise _damaged(f"the backup table is after the disk's end (sector {other})")
    second, _ = _read_copy(source, size, other, hybrid=hybrid)
    if primary != second:
        raise _damaged("the backup table differs from the primary one")
    return primary


def _read_copy(source: Source, size: int, lba: int, *, hybrid: bool) -> tuple[Gpt, int]:
    fields = _HEADER.unpack(source.read(lba * size, _HEADER.size))
    signature, _, length, checksum, _, here, other, first, _, guid, table_at, count, width, table_crc = fields
    where = "primary" if lba == 1 else "backup"
    header = bytearray(source.read(lba * size, length if _HEADER.size <= length <= size else _HEADER.size))
    header[16:20] = bytes(4)
    if signature != _SIGNATURE or here != lba or zlib.crc32(header) != checksum:
        raise _damaged(f"the {where} header's checksum is wrong")
    if width != _ENTRY.size or count > 4096 or table_at * size + count * width > source.size:
        raise _damaged(f"the {where} table has {count} entries of {width} bytes at sector {table_at}")
    table = source.read(table_at * size, count * width)
    if zlib.crc32(table) != table_crc:
        raise _damaged(f"the {where} table's checksum is wrong")
    allocated = [index for index in range(count) if any(table[index * width : index * width + 16])]
    partitions = tuple(_unpack(table, index) for index in allocated)
    sectors = (other if lba == 1 else here) + 1
    try:
        return Gpt(UUID(bytes_le=guid), sectors, partitions, size, first, hybrid), other
    except BootimgError as error:
        raise _damaged(error.message) from None


def _unpack(table: bytes, index: int) -> Partition:
    kind, guid, first, last, attributes, name = _ENTRY.unpack_from(table, index * _ENTRY.size)
    text = name.decode("utf-16-le", errors="replace").split("\0", 1)[0]
    return Partition(
        index + 1, text, UUID(bytes_le=kind), UUID(bytes_le=guid), first, last - first + 1, attributes
    )


def _table(gpt: Gpt) -> bytes:
    table = bytearray(_TABLE_SIZE)
    for part in gpt.partitions:
        name = part.name.encode("utf-16-le")
        entry = (part.type_guid.bytes_le, part.guid.bytes_le, part.start, part.last, part.attributes, name)
        _ENTRY.pack_into(table, (part.number - 1) * _ENTRY.size, *entry)
    return bytes(table)


def _header(gpt: Gpt, table: bytes, *, here: int, other: int, table_at: int) -> bytes:
    def packed(checksum: int) -> bytes:
        return _HEADER.pack(
            _SIGNATURE, _REVISION, _HEADER.size, checksum, 0, here, other, gpt.first_lba, gpt.last_lba,
            gpt.disk_guid.bytes_le, table_at, _ENTRIES, _ENTRY.size, zlib.crc32(table),
        )  # fmt: skip

    return packed(zlib.crc32(packed(0))).ljust(gpt.sector_size, b"\0")


def _protective_mbr(gpt: Gpt) -> bytes:
    length = min(gpt.sectors - 1, 0xFFFFFFFF)
    entry = _MBR_ENTRY.pack(0, b"\x00\x02\x00", 0xEE, b"\xff\xff\xff", 1, length)
    return entry + bytes(48) + b"\x55\xaa"


def _problem(gpt: Gpt) -> str | None:
    if gpt.sector_size not in SECTOR_SIZES:
        return f"sectors of {gpt.sector_size} bytes"
    numbers = [partition.number for partition in gpt.partitions]
    if len(set(numbers)) != len(numbers) or any(not 1 <= number <= _ENTRIES for number in numbers):
        return f"partition numbers {str(numbers)[:200]}"
    if gpt.hybrid:
        return None
    end = 2 + gpt.table_sectors
    for partition in sorted(gpt.partitions, key=lambda each: each.start):
        label = f"partition {partition.number} ({partition.name})"
        if len(partition.name.encode("utf-16-le")) > 72:
            return f"the name of {label} is longer than 36 characters"
        if partition.sectors < 1 or partition.start < end:
            return f"{label} is empty, or overlaps what is before it"
        end = partition.start + partition.sectors
    if end > gpt.last_lba + 1:
        return f"a disk of {gpt.sectors} sectors has {end - gpt.last_lba - 1} too few"
    return None


def _damaged(what: str) -> BootimgError:
    return BootimgError(
        "gpt-damaged",
        f"the disk's partition table is damaged: {what}",
        hint="the image was cut off or is not a disk image: get or build it again",
    )
