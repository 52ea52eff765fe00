"""CRC-32C (Castagnoli), the checksum of VHDX and XFS, which the standard library lacks."""

from __future__ import annotations

from functools import cache

_POLYNOMIAL = 0x82F63B78
_ONES = 0xFFFFFFFF
_FEW = 12
"""Fewer records than this are faster one by one."""


def crc32c(data: bytes) -> int:
    """The CRC-32C of `data`; for headers of some KiB, not for disks."""
    table, crc = _table(), _ONES
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ _ONES


def crc32c_records(data: bytes, size: int) -> list[int]:
    """The CRC-32C of each record of `size` bytes in `data`.

    Each of four large integers holds one byte of every record's register.  One table lookup
    (`bytes.translate`) then advances all records by a byte, at about 50 MB/s for hundreds of records.
    """
    count = len(data) // size
    if count < _FEW:
        return [crc32c(data[at : at + size]) for at in range(0, count * size, size)]
    ones = (1 << 8 * count) - 1
    registers = (ones, ones, ones, ones)
    for at in range(size):
        registers = _advance(registers, data[at::size], count)
    planes = [(register ^ ones).to_bytes(count, "little") for register in registers]
    return [a | b << 8 | c << 16 | d << 24 for a, b, c, d in zip(*planes, strict=True)]


def _advance(registers: tuple[int, int, int, int], column: bytes, count: int) -> tuple[int, int, int, int]:
    """The registers after one more byte of every record; `column` has these bytes."""
    number = int.from_bytes
    first, second, third, fourth = registers
    index = (first ^ number(column, "little")).to_bytes(count, "little")
    table = _planes()
    return (
        second ^ number(index.translate(table[0]), "little"),
        third ^ number(index.translate(table[1]), "little"),
        fourth ^ number(index.translate(table[2]), "little"),
        number(index.translate(table[3]), "little"),
    )


@cache
def _planes() -> tuple[bytes, ...]:
    """The table's bytes of each significance, lowest first."""
    return tuple(bytes(entry >> shift & 0xFF for entry in _table()) for shift in (0, 8, 16, 24))


@cache
def _table() -> tuple[int, ...]:
    def entry(value: int) -> int:
        for _ in range(8):
            value = (value >> 1) ^ (_POLYNOMIAL if value & 1 else 0)
        return value

    return tuple(entry(value) for value in range(256))
