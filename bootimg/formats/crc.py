"""A checksum that the standard library lacks: CRC-32 over many zeros at once."""

from __future__ import annotations

from functools import lru_cache

_CRC32 = 0xEDB88320
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
