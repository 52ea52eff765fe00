"""Checksums that the standard library lacks: CRC-32 over many zeros at once, and CRC-32C."""

from __future__ import annotations

from functools import cache, lru_cache

_CRC32 = 0xEDB88320
_CRC32C = 0x82F63B78
_ONES = 0xFFFFFFFF
_X8 = 1 << 23


def crc32_zeros(crc: int, length: int) -> int:
    """The CRC-32 of data with the CRC `crc`, followed by `length` zero bytes.

    Each zero byte multiplies the register by x^8 in the field of the CRC's polynomial.
    """
    return _multiply(crc ^ _ONES, _zeros(length)) ^ _ONES


@lru_cache
def _zeros(length: int) -> int:
    product, square = 1 << 31, _X8
    while length:
        if length & 1:
            product = _multiply(product, square)
        square, length = _multiply(square, square), length >> 1
    return product


def _multiply(a: int, b: int) -> int:
    """The product of two polynomials; the highest bit is x^0."""
    product, bit = 0, 1 << 31
    while bit:
        if a & bit:
            product ^= b
        b = (b >> 1) ^ (_CRC32 if b & 1 else 0)
        bit >>= 1
    return product


def crc32c(data: bytes) -> int:
    """The CRC-32C (Castagnoli) of `data`; fast enough for headers of a few KiB, not for disks."""
    table, crc = _table(), _ONES
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ _ONES


@cache
def _table() -> tuple[int, ...]:
    def entry(value: int) -> int:
        for _ in range(8):
            value = (value >> 1) ^ (_CRC32C if value & 1 else 0)
        return value

    return tuple(entry(value) for value in range(256))
