"""XXH32, the hash that EROFS filters attribute names with (the xxHash specification)."""

from __future__ import annotations

import struct

_MASK = 0xFFFFFFFF
_P1, _P2, _P3, _P4, _P5 = 2654435761, 2246822519, 3266489917, 668265263, 374761393


def xxh32(data: bytes, seed: int) -> int:
    """The hash of some bytes."""
    stripes = len(data) // 16 * 16
    state = _stripes(data[:stripes], seed) if stripes else (seed + _P5) & _MASK
    state = (state + len(data)) & _MASK
    words = (len(data) - stripes) // 4
    for word in struct.unpack_from(f"<{words}I", data, stripes):
        state = _rotated(state + word * _P3, 17) * _P4 & _MASK
    for byte in data[stripes + 4 * words :]:
        state = _rotated(state + byte * _P5, 11) * _P1 & _MASK
    return _mixed(state)


def _stripes(data: bytes, seed: int) -> int:
    lanes = [seed + _P1 + _P2, seed + _P2, seed, seed - _P1]
    for words in struct.iter_unpack("<4I", data):
        lanes = [_rotated(lane + word * _P2, 13) * _P1 for lane, word in zip(lanes, words, strict=True)]
    return sum(_rotated(lane, by) for lane, by in zip(lanes, (1, 7, 12, 18), strict=True)) & _MASK


def _rotated(value: int, by: int) -> int:
    value &= _MASK
    return (value << by | value >> (32 - by)) & _MASK


def _mixed(value: int) -> int:
    value = (value ^ value >> 15) * _P2 & _MASK
    value = (value ^ value >> 13) * _P3 & _MASK
    return value ^ value >> 16
