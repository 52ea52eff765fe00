"""The other files that a disk image names.  A program that opens the image also reads or writes these.

This module only reads the names and opens no such file.  Sources: QEMU's docs/interop/qcow2.txt; VMware's
"Virtual Disk Format 5.0"; Microsoft's [MS-VHDX] and "Virtual Hard Disk Image Format Specification".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

QCOW2_MAGIC = b"QFI\xfb"
VHD_COOKIE = b"conectix"
# Big-endian: magic, version, backing file's offset and length, cluster bits, size, encryption.
_QCOW2 = struct.Struct(">4sIQIIQI")
_DATA_FILE_BIT = 1 << 2
_DATA_FILE = 0x44415441
_VHD_DIFFERENCING = 4
_SECTOR = 512
_SHOWN = 300


class DamagedImageError(Exception):
    """An invalid header; the text tells the reason."""


class EncryptedImageError(Exception):
    """An image that needs a key."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Another file: its role for the image, and its name in the image ("" if it has none)."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name[:_SHOWN]!r}" if self.name else self.kind


def read_at(file: BinaryIO, offset: int, length: int) -> bytes:
    """Up to `length` bytes at the offset, as many as the file has."""
    if offset >= file.seek(0, 2):
        return b""
    file.seek(offset)
    return file.read(length)


def unpack_at(layout: struct.Struct, file: BinaryIO, offset: int) -> tuple[int, ...]:
    """Fields at an offset; `DamagedImageError` if the file ends before them."""
    data = read_at(file, offset, layout.size)
    if len(data) < layout.size:
        raise DamagedImageError("the file is too short")
    return layout.unpack(data)


def qcow2_references(file: BinaryIO) -> Iterator[Reference]:
    """The backing file and the external data file."""
    fields = unpack_at(_QCOW2, file, 0)
    version, backing_at, backing_length, bits, encryption = (fields[i] for i in (1, 2, 3, 4, 6))
    if version not in (2, 3) or not 9 <= bits <= 21:
        raise DamagedImageError(f"it is not a qcow2 of a known version ({version})")
    if encryption:
        raise EncryptedImageError
    if backing_at:
        yield Reference("backing file", _text(read_at(file, backing_at, min(backing_length, 1023))))
    features, header = (0, _QCOW2_V2) if version == 2 else _version3(file)
    names = [_text(data) for kind, data in _extensions(file, header, 1 << bits) if kind == _DATA_FILE]
    if names or features & _DATA_FILE_BIT:
        yield Reference("external data file", "".join(names[:1]))


_QCOW2_V2 = 72


def _version3(file: BinaryIO) -> tuple[int, int]:
    """The incompatible features and the header's length."""
    features, _, _, _, header = unpack_at(struct.Struct(">QQQII"), file, _QCOW2_V2)
    return features, header


def _extensions(file: BinaryIO, start: int, end: int) -> Iterator[tuple[int, bytes]]:
    area = read_at(file, start, max(0, end - start))
    at = 0
    while at + 8 <= len(area):
        kind, length = struct.unpack_from(">II", area, at)
        if kind == 0:
            return
        yield kind, area[at + 8 : at + 8 + length]
        at += 8 + (length + 7) // 8 * 8


def vhd_references(file: BinaryIO) -> Iterator[Reference]:
    """The parent of a differencing disk; also the parent of a disk that declares another type."""
    (data_offset,) = unpack_at(struct.Struct(">Q"), file, 16)
    header = read_at(file, data_offset, 1024)
    if header[:8] != b"cxsparse":
        header = b""
    parent = header[64:576].decode("utf-16-be", "replace").partition("\0")[0]
    locators = any(any(header[576 + 24 * number : 580 + 24 * number]) for number in range(8))
    if _vhd_type(file, 0) == _VHD_DIFFERENCING or parent or locators:
        yield Reference("parent disk", parent)


def raw_references(file: BinaryIO) -> Iterator[Reference]:
    """The parent, if the data ends with a VHD footer of a differencing disk."""
    end = file.seek(0, 2) - _SECTOR
    if end >= 0 and read_at(file, end, 8) == VHD_COOKIE and _vhd_type(file, end) == _VHD_DIFFERENCING:
        yield Reference("parent disk", "")


def _vhd_type(file: BinaryIO, footer: int) -> int:
    return unpack_at(struct.Struct(">I"), file, footer + 60)[0]


def _text(data: bytes) -> str:
    return data.partition(b"\0")[0].decode(errors="replace")
