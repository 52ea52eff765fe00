"""The parent that a VHDX names."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterator
from typing import BinaryIO

from bootimg.sizes import KIB
from bootimg.vm.references import Reference, read_at

_REGION_TABLES = (192 * KIB, 256 * KIB)
_METADATA = uuid.UUID("8b7ca206-4790-4b9a-b8fe-575f050f886e")
_FILE_PARAMETERS = uuid.UUID("caa16737-fa36-4d43-b3b6-33f0aa44e76b")
_PARENT_LOCATOR = uuid.UUID("a8d35f2d-b30b-454d-abf7-d3d84834ab0c")
_HAS_PARENT = 1 << 1
_TABLE = 64 * KIB
_ENTRY = 32


def vhdx_references(file: BinaryIO) -> Iterator[Reference]:
    """The parent of a differencing disk, which has a parent locator or only the flag."""
    for place in dict.fromkeys(place for table in _REGION_TABLES for place in _metadata_regions(file, table)):
        items = dict(_items(file, place))
        locator = items.get(_PARENT_LOCATOR)
        parameters = items.get(_FILE_PARAMETERS, b"")
        if locator is not None or (len(parameters) >= 8 and parameters[4] & _HAS_PARENT):
            yield Reference("parent disk", ", ".join(_names(locator or b"")))
            return


def _metadata_regions(file: BinaryIO, table: int) -> Iterator[int]:
    data = read_at(file, table, _TABLE)
    if data[:4] != b"regi":
        return
    for at in _entries(data, struct.unpack_from("<I", data.ljust(12, b"\0"), 8)[0], 16):
        guid, offset = data[at : at + 16], struct.unpack_from("<Q", data, at + 16)[0]
        if guid == _METADATA.bytes_le:
            yield offset


def _items(file: BinaryIO, place: int) -> Iterator[tuple[uuid.UUID, bytes]]:
    data = read_at(file, place, _TABLE)
    if data[:8] != b"metadata":
        return
    for at in _entries(data, struct.unpack_from("<H", data.ljust(12, b"\0"), 10)[0], 32):
        offset, length = struct.unpack_from("<II", data, at + 16)
        yield uuid.UUID(bytes_le=data[at : at + 16]), read_at(file, place + offset, min(length, _TABLE))


def _entries(data: bytes, count: int, start: int) -> range:
    """The offsets of a table's entries, of those that are in the data."""
    return range(start, min(start + count * _ENTRY, len(data) - _ENTRY + 1), _ENTRY)


def _names(locator: bytes) -> Iterator[str]:
    """The values of a parent locator's pairs: paths, volumes, an identifier."""
    if len(locator) < 20:
        return
    for number in range(min(struct.unpack_from("<H", locator, 18)[0], 16)):
        pair = locator[20 + 12 * number : 32 + 12 * number]
        if len(pair) == 12:
            _, at, _, length = struct.unpack("<IIHH", pair)
            yield locator[at : at + length].decode("utf-16-le", "replace")
