"""What making an artifact takes of this machine's memory, so that no more of them run than fit."""

from __future__ import annotations

from bootimg.formats import Compressor, Packing
from bootimg.formats.compression.xzwrite import MEMORY as XZ_THREAD
from bootimg.sizes import MIB

_WRITER = 32 * MIB
"""Blocks that are read, hashed and written ahead of each other."""
_DEFLATE_THREAD = 12 * MIB
_ZSTD_THREAD = 48 * MIB
"""zstd -10 with its window and the jobs of its threads."""


def memory_of(packing: Packing) -> int:
    """Bytes that an artifact takes at the most while it is made."""
    threads = packing.threads
    match packing.compressor:
        case Compressor.XZ:
            return _WRITER + XZ_THREAD * threads
        case Compressor.ZSTD:
            return _WRITER + _ZSTD_THREAD * threads
        case _:
            return _WRITER + _DEFLATE_THREAD * threads
