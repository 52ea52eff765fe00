"""What all structures of ISO 9660 (ECMA-119) share: sectors, numbers in both byte orders, times in UTC."""

from __future__ import annotations

import struct
import time

SECTOR = 2048
SYSTEM_AREA = 16 * SECTOR
"""The bytes before the first volume descriptor, which the standard leaves to the boot loader."""
# The last second of 2155: a directory record counts years from 1900 in one byte.
_LAST = 5_869_583_999


def both16(value: int) -> bytes:
    """A 16-bit number in little endian, then in big endian."""
    return struct.pack("<H", value) + struct.pack(">H", value)


def both32(value: int) -> bytes:
    """A 32-bit number in little endian, then in big endian."""
    return struct.pack("<I", value) + struct.pack(">I", value)


def sector_count(length: int) -> int:
    """The sectors that `length` bytes take."""
    return -(-length // SECTOR)


def padded(data: bytes) -> bytes:
    """The data, with zeros up to the end of its last sector."""
    return data.ljust(sector_count(len(data)) * SECTOR, b"\0")


def record_time(epoch: int) -> bytes:
    """Seconds since 1970 as the 7 bytes of a directory record."""
    at = time.gmtime(min(epoch, _LAST))
    return bytes((at.tm_year - 1900, at.tm_mon, at.tm_mday, at.tm_hour, at.tm_min, at.tm_sec, 0))


def volume_time(epoch: int) -> bytes:
    """Seconds since 1970 as the 17 bytes of a volume descriptor."""
    return time.strftime("%Y%m%d%H%M%S00", time.gmtime(min(epoch, _LAST))).encode() + b"\0"
