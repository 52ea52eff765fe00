"""The volume descriptors of an ISO (ECMA-119, section 8): primary, boot record, Joliet's, terminator."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from bootimg.live.iso.records import Extent, directory_record, joliet_name
from bootimg.live.iso.sectors import SECTOR, both16, both32, record_time, volume_time

SIGNATURE = b"CD001"
BOOT, PRIMARY, SUPPLEMENTARY, TERMINATOR = 0, 1, 2, 255
EL_TORITO = b"EL TORITO SPECIFICATION"
VOLUME_ID_LENGTH = 32
_UCS2_LEVEL_3 = b"%/E"
JOLIET_LEVELS = (b"%/@", b"%/C", _UCS2_LEVEL_3)
SYSTEM = "LINUX"
"""The system id of most ISOs, as genisoimage gives it."""
_APPLICATION = "BOOTIMG"


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """What an ISO says of itself.

    Its id and that of the system have at most 32 characters; `epoch` is in seconds since 1970.
    """

    id: str
    set_id: str
    epoch: int
    system: str = SYSTEM


@dataclass(frozen=True, slots=True, kw_only=True)
class TreePlace:
    """A tree's root folder, the length of its path table in bytes, the sectors of the table's two copies."""

    root: Extent
    table_length: int
    little_table: int
    big_table: int


def primary(volume: Volume, place: TreePlace, sectors: int) -> bytes:
    """The primary volume descriptor of an image of that many sectors."""
    return _volume_descriptor(volume, place, sectors, joliet=False)


def joliet(volume: Volume, place: TreePlace, sectors: int) -> bytes:
    """The supplementary volume descriptor of the Joliet tree."""
    return _volume_descriptor(volume, place, sectors, joliet=True)


def boot_record(catalogue: int) -> bytes:
    """The descriptor that leads to the boot catalogue in that sector."""
    return _descriptor(BOOT, EL_TORITO.ljust(64, b"\0") + struct.pack("<I", catalogue))


def terminator() -> bytes:
    """The end of the descriptors."""
    return _descriptor(TERMINATOR, b"")


def _volume_descriptor(volume: Volume, place: TreePlace, sectors: int, *, joliet: bool) -> bytes:
    def text(value: str, length: int) -> bytes:
        if joliet:
            # A field of an odd length has one byte more than its characters.
            return joliet_name(value[: length // 2].ljust(length // 2)).ljust(length, b"\0")
        return value[:length].encode().ljust(length)

    when = volume_time(volume.epoch)
    root = directory_record(b"\0", place.root, record_time(volume.epoch), folder=True)
    fields = [
        b"\0", text(volume.system, 32), text(volume.id, VOLUME_ID_LENGTH), bytes(8), both32(sectors),
        (_UCS2_LEVEL_3 if joliet else b"").ljust(32, b"\0"), both16(1), both16(1), both16(SECTOR),
        both32(place.table_length), struct.pack("<II", place.little_table, 0),
        struct.pack(">II", place.big_table, 0), root, text(volume.set_id, 128), text("", 128), text("", 128),
        text(_APPLICATION, 128), text("", 37), text("", 37), text("", 37),
        when, when, b"0" * 16 + b"\0", when, b"\1",
    ]  # fmt: skip
    return _descriptor(SUPPLEMENTARY if joliet else PRIMARY, b"".join(fields))


def _descriptor(kind: int, fields: bytes) -> bytes:
    return (bytes([kind]) + SIGNATURE + b"\1" + fields).ljust(SECTOR, b"\0")
