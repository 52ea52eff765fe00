"""The volume descriptors of an ISO, as they are read."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from bootimg.disk.extents import Source
from bootimg.errors import BootimgError, ExitCode
from bootimg.formats.compression.decompress import compressor_of_data
from bootimg.formats.compression.writer import Compressor
from bootimg.live.iso import descriptors
from bootimg.live.iso.sectors import SECTOR, SYSTEM_AREA

_MOST_DESCRIPTORS = 64
_ROOT_RECORD = 156


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadVolume:
    """What the descriptors say.

    `size` is in bytes, `root` is the root folder's record, `catalogue` is the sector of the boot catalogue.
    """

    id: str
    size: int
    root: bytes
    catalogue: int | None
    has_joliet: bool


def read_volume(source: Source) -> ReadVolume:
    """The volume; raises `iso-unreadable` if there is none, and `iso-compressed`."""
    primary, catalogue, has_joliet = b"", None, False
    for data in _descriptors(source):
        kind = data[0]
        if kind == descriptors.PRIMARY and not primary:
            primary = data
        elif kind == descriptors.BOOT and data[7:].startswith(descriptors.EL_TORITO):
            (catalogue,) = struct.unpack_from("<I", data, 71)
        elif kind == descriptors.SUPPLEMENTARY:
            has_joliet |= data[88:91] in descriptors.JOLIET_LEVELS
    if not primary:
        raise damaged("it has no primary volume descriptor")
    size = int.from_bytes(primary[80:84], "little") * SECTOR
    if size > source.size:
        raise damaged(f"it says that it has {size} bytes, and the file has {source.size}")
    name = primary[40:72].decode("latin-1").rstrip(" \0")
    root = primary[_ROOT_RECORD : _ROOT_RECORD + 34]
    return ReadVolume(id=name, size=size, root=root, catalogue=catalogue, has_joliet=has_joliet)


def _descriptors(source: Source) -> Iterator[bytes]:
    """The descriptors up to the terminator."""
    for number in range(_MOST_DESCRIPTORS):
        offset = SYSTEM_AREA + number * SECTOR
        data = source.read(offset, SECTOR) if offset + SECTOR <= source.size else b""
        if data[1:7] != descriptors.SIGNATURE + b"\1":
            _refuse_compressed(source)
            raise damaged("it has no volume descriptors")
        if data[0] == descriptors.TERMINATOR:
            return
        yield data


def _refuse_compressed(source: Source) -> None:
    compressor = compressor_of_data(source.read(0, min(8, source.size)))
    if compressor is not Compressor.NONE:
        raise BootimgError(
            "iso-compressed",
            f"the ISO is compressed ({compressor}): its areas cannot be read or changed",
            hint="uncompress it first: xz -d, gzip -d or zstd -d",
            exit_code=ExitCode.USAGE,
        )


def damaged(why: str) -> BootimgError:
    """The error for an ISO whose structures are wrong."""
    return BootimgError(
        "iso-unreadable",
        f"the file is not an ISO 9660 image, or is damaged: {why}",
        hint="check its digest, and get it again",
        exit_code=ExitCode.USAGE,
    )
