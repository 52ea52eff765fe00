"""Dynamic VHDX with blocks of 1 MiB, written front to back (Microsoft's MS-VHDX).

The writer first finds the blocks with data, so that it can write the table of blocks before them.  All
offsets below are in the file; everything after the first MiB is aligned to MiB.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bootimg.crc32c import crc32c
from bootimg.disk.extents import Source
from bootimg.errors import BootimgError, ExitCode
from bootimg.events import Step
from bootimg.formats.allocation import identity, used_blocks
from bootimg.formats.compression.writer import Packing, open_output
from bootimg.formats.output import ReadingProgress, Written, data_length, refuse_options
from bootimg.sizes import KIB, MIB, TIB, align_up, format_size

LIMIT = 64 * TIB
BLOCK = MIB
_SECTOR = 512
_PHYSICAL_SECTOR = 4096
_SLOT = 64 * KIB
_LOG, _METADATA, _TABLE = MIB, 2 * MIB, 3 * MIB
_CHUNK = (1 << 23) * _SECTOR // BLOCK
_PRESENT = 6
_CREATOR = "bootimg"
_HEADER = struct.Struct("<4sIQ16s16s16sHHIQ")
_ENTRY = struct.Struct("<16sQII")
_ITEM = struct.Struct("<16sIIII")
_REQUIRED, _OF_DISK = 4, 2
_REGION_TABLE = uuid.UUID("2DC27766-F623-4200-9D64-115E9BFD4A08")
_REGION_METADATA = uuid.UUID("8B7CA206-4790-4B9A-B8FE-575F050F886E")
_FILE_PARAMETERS = uuid.UUID("CAA16737-FA36-4D43-B3B6-33F0AA44E76B")
_DISK_SIZE = uuid.UUID("2FA54224-CD1B-4876-B211-5DBED83BF4B8")
_PAGE_83 = uuid.UUID("BECA12AB-B2E6-4523-93EF-C309E000C746")
_LOGICAL_SECTOR = uuid.UUID("8141BF1D-A96F-4709-BA47-F233A8FAAB5F")
_PHYSICAL = uuid.UUID("CDA348C7-445D-4471-9CC9-E9885251C556")


def write_vhdx(
    source: Source,
    out: Path,
    options: Mapping[str, str | bool],
    step: Step | None,
    packing: Packing | None = None,
) -> Written:
    """Write a dynamic VHDX without blocks of zeros; the size is rounded up to sectors of 512 bytes.

    It has no options, so any is `format-option-unsupported`.  More than 64 TiB is `vhdx-size-invalid`.
    """
    refuse_options("vhdx", options, {})
    if not 0 < source.size <= LIMIT:
        raise BootimgError(
            "vhdx-size-invalid",
            f"a disk of {source.size} bytes cannot be a VHDX",
            hint=f"it can have up to {format_size(LIMIT)}",
            exit_code=ExitCode.USAGE,
        )
    allocated = list(used_blocks(source, BLOCK))
    table = _block_table(-(-source.size // BLOCK), allocated)
    progress = ReadingProgress(step, data_length(source))
    with open_output(out, packing or Packing(), _TABLE + len(table) + len(allocated) * BLOCK) as file:
        for part in _front(source, len(table)):
            file.write(part)
        file.write(table)
        for index in allocated:
            data = source.read(index * BLOCK, min(BLOCK, source.size - index * BLOCK))
            file.write(data.ljust(BLOCK, b"\0"))
            progress.advance(len(data))
        progress.finish()
        return file.finish(out)


def _block_table(blocks: int, allocated: Sequence[int]) -> bytes:
    """The state and offset of each block; after each chunk follows an unused entry for a bitmap."""
    count = blocks + (blocks - 1) // _CHUNK
    size = align_up(count * 8, MIB)
    first = (_TABLE + size) // MIB
    table = bytearray(size)
    for number, index in enumerate(allocated):
        struct.pack_into("<Q", table, (index + index // _CHUNK) * 8, (first + number) << 20 | _PRESENT)
    return bytes(table)


def _front(source: Source, table: int) -> Iterator[bytes]:
    """The file identifier, two headers and two region tables; an empty log; the metadata."""
    regions = _regions(table)
    slots = [
        b"vhdxfile" + _CREATOR.encode("utf-16-le"),
        _header(source, 1),
        _header(source, 2),
        regions,
        regions,
    ]
    yield b"".join(slot.ljust(_SLOT, b"\0") for slot in slots).ljust(MIB, b"\0")
    yield bytes(MIB)
    yield _metadata(source).ljust(MIB, b"\0")


def _header(source: Source, sequence: int) -> bytes:
    file, data = identity(source, "vhdx file"), identity(source, "vhdx data")
    fields = (b"head", 0, sequence, file.bytes_le, data.bytes_le, bytes(16), 0, 1, MIB, _LOG)
    return _sealed(_HEADER.pack(*fields).ljust(4 * KIB, b"\0"))


def _regions(table: int) -> bytes:
    entries = _ENTRY.pack(_REGION_TABLE.bytes_le, _TABLE, table, 1)
    entries += _ENTRY.pack(_REGION_METADATA.bytes_le, _METADATA, MIB, 1)
    return _sealed((struct.pack("<4sIII", b"regi", 0, 2, 0) + entries).ljust(_SLOT, b"\0"))


def _sealed(data: bytes) -> bytes:
    """The data with its checksum, which is computed with the checksum's own field as zero."""
    return data[:4] + struct.pack("<I", crc32c(data)) + data[8:]


def _metadata(source: Source) -> bytes:
    items = (
        (_FILE_PARAMETERS, struct.pack("<II", BLOCK, 0), _REQUIRED),
        (_DISK_SIZE, struct.pack("<Q", align_up(source.size, _SECTOR)), _REQUIRED | _OF_DISK),
        (_PAGE_83, identity(source, "vhdx page 83").bytes_le, _REQUIRED | _OF_DISK),
        (_LOGICAL_SECTOR, struct.pack("<I", _SECTOR), _REQUIRED | _OF_DISK),
        (_PHYSICAL, struct.pack("<I", _PHYSICAL_SECTOR), _REQUIRED | _OF_DISK),
    )
    table = struct.pack("<8sHH20x", b"metadata", 0, len(items))
    values = b""
    for item, value, flags in items:
        table += _ITEM.pack(item.bytes_le, _SLOT + len(values), len(value), flags, 0)
        values += value
    return table.ljust(_SLOT, b"\0") + values
