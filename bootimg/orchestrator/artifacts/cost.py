"""The memory that making an artifact takes, so that only as many run at a time as fit."""

from __future__ import annotations

from bootimg.formats import Compressor, Packing
from bootimg.formats.compression.xzwrite import MEMORY as XZ_THREAD
from bootimg.sizes import MIB

_WRITER = 32 * MIB
"""Bytes of the blocks that are in flight between reading, hashing and writing."""
_DEFLATE_THREAD = 12 * MIB
_ZSTD_THREAD = 48 * MIB
"""Bytes of zstd -10 per thread, with its window and jobs."""


def memory_of(packing: Packing) -> int:
    """The most bytes of memory that an artifact takes while it is made."""
    threads = packing.threads
    match packing.compressor:
        case Compressor.XZ:
            return _WRITER + XZ_THREAD * threads
        case Compressor.ZSTD:
            return _WRITER + _ZSTD_THREAD * threads
        case _:
            return _WRITER + _DEFLATE_THREAD * threads
