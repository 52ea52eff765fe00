"""The encoding of coreos-installer's binary files: bincode 1.3, little-endian, with variable-length integers.

An integer below 251 is one byte.  Larger ones are 251, 252 or 253, then the value in 2, 4 or 8 bytes.  Text
and lists are a count, then the items; an array of bytes has no count.  Source: the documentation of the
crate bincode (`VarintEncoding`), and `bincoder` in coreos-installer's src/io/mod.rs.
"""

from __future__ import annotations

from typing import BinaryIO

from bootimg.live.malformed import MalformedError

U32, U64 = (1 << 32) - 1, (1 << 64) - 1
"""The largest integers of 32 and of 64 bits."""
_WIDTHS = {251: 2, 252: 4, 253: 8}


def number(value: int) -> bytes:
    """An integer of at most 64 bits."""
    if value < min(_WIDTHS):
        return bytes((value,))
    marker, width = next(each for each in _WIDTHS.items() if value >> 8 * each[1] == 0)
    return bytes((marker,)) + value.to_bytes(width, "little")


def blob(value: bytes) -> bytes:
    """Bytes with their count."""
    return number(len(value)) + value


def text(value: str) -> bytes:
    """A text in UTF-8."""
    return blob(value.encode())


class Decoder:
    """Reads values from a file; each raises MalformedError."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def array(self, length: int) -> bytes:
        """Exactly `length` bytes."""
        data = self._file.read(length)
        if len(data) != length:
            raise MalformedError("it ends too early")
        return data

    def number(self, most: int) -> int:
        """An integer of at most `most`."""
        value = self.array(1)[0]
        if value in _WIDTHS:
            value = int.from_bytes(self.array(_WIDTHS[value]), "little")
        elif value > max(_WIDTHS):
            raise MalformedError(f"an integer begins with {value}")
        if value > most:
            raise MalformedError(f"{value} is more than {most}")
        return value

    def blob(self, most: int) -> bytes:
        """Bytes with their count, which may be `most`."""
        return self.array(self.number(most))

    def text(self, most: int) -> str:
        """A text of at most `most` bytes."""
        try:
            return self.blob(most).decode()
        except UnicodeDecodeError:
            raise MalformedError("a text is not UTF-8") from None
