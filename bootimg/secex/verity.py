"""The hash tree by which dm-verity checks a file system that is only read.

The format is version 1 of the kernel's dm-verity (Documentation/admin-guide/device-mapper/verity.rst) and
veritysetup's superblock (cryptsetup, lib/verity/verity.c): a block with the superblock, then the levels of
the tree, the smallest first.  A digest is that of the salt and a block.  The root hash is the digest of the
tree's first block.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from bootimg.disk.extents import Source, data_chunks, read_exactly, write_fully
from bootimg.sizes import MIB, align_up

DATA_BLOCK, HASH_BLOCK = 512, 4096
"""Bytes; coreos-assembler gives veritysetup --data-block-size 512."""
_DIGEST = hashlib.sha256().digest_size
_PER_BLOCK = HASH_BLOCK // _DIGEST
_SUPERBLOCK = struct.Struct("<8sII16s32sIIQH6x256s168x")
_VERSION = _NORMAL = 1
_CHUNK = MIB


@dataclass(frozen=True, slots=True)
class Verity:
    """What veritysetup draws at random: the tree's id, and the salt of at most 256 bytes."""

    uuid: UUID
    salt: bytes

    def write(self, source: Source, start: int, length: int, tree: Path) -> str:
        """Write the tree of `length` bytes of the source to a new file; returns the root hash in hexadecimal.

        `length` is a multiple of DATA_BLOCK.  `tree_size` is the file's size.
        """
        fd = os.open(tree, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            write_fully(fd, self._superblock(length), 0)
            levels = list(_levels(length))
            digests = self._data(source, start, length)
            for offset, _ in reversed(levels):
                blocks = _write_level(fd, offset, digests)
                digests = self._hashed(fd, offset, blocks)
            return next(digests).hex()
        finally:
            os.close(fd)

    def _superblock(self, length: int) -> bytes:
        words = (_VERSION, _NORMAL, self.uuid.bytes, b"sha256", DATA_BLOCK, HASH_BLOCK)
        fields = (*words, length // DATA_BLOCK, len(self.salt), self.salt)
        return _SUPERBLOCK.pack(b"verity\0\0", *fields).ljust(HASH_BLOCK, b"\0")

    def _data(self, source: Source, start: int, length: int) -> Iterator[bytes]:
        """The digests of the data's blocks, in order; a hole's are those of zeros."""
        digest = self._digest
        zeros, done = digest(bytes(DATA_BLOCK)), start
        for offset, amount in data_chunks(source, start, start + length, _CHUNK):
            # Extents begin and end anywhere; blocks do not.
            low, high = max(done, offset - (offset - start) % DATA_BLOCK), offset + amount
            high = min(start + align_up(high - start, DATA_BLOCK), start + length)
            yield from (zeros for _ in range(done, low, DATA_BLOCK))
            data = source.read(low, max(0, high - low))
            yield from (digest(data[at : at + DATA_BLOCK]) for at in range(0, len(data), DATA_BLOCK))
            done = max(done, high)
        yield from (zeros for _ in range(done, start + length, DATA_BLOCK))

    def _hashed(self, fd: int, offset: int, blocks: int) -> Iterator[bytes]:
        for number in range(blocks):
            yield self._digest(read_exactly(fd, offset + number * HASH_BLOCK, HASH_BLOCK))

    @property
    def _digest(self) -> Callable[[bytes], bytes]:
        salted = hashlib.sha256(self.salt)

        def digest(block: bytes) -> bytes:
            state = salted.copy()
            state.update(block)
            return state.digest()

        return digest


def tree_size(length: int) -> int:
    """Bytes of the superblock and the tree for `length` bytes of data."""
    return HASH_BLOCK + sum(size for _, size in _levels(length))


def _levels(length: int) -> Iterator[tuple[int, int]]:
    """Offset and size of each level, the smallest first, in the order in which they are stored."""
    sizes, count = list[int](), length // DATA_BLOCK
    while count > 1:
        count = -(-count // _PER_BLOCK)
        sizes.append(count * HASH_BLOCK)
    offset = HASH_BLOCK
    for size in reversed(sizes):
        yield offset, size
        offset += size


def _write_level(fd: int, offset: int, digests: Iterator[bytes]) -> int:
    """Write the digests from an offset on, filled up to whole blocks; returns how many blocks that are."""
    at, pending = offset, bytearray()
    for digest in digests:
        pending += digest
        if len(pending) == _CHUNK:
            write_fully(fd, bytes(pending), at)
            at, pending = at + len(pending), bytearray()
    pending += bytes(-len(pending) % HASH_BLOCK)
    write_fully(fd, bytes(pending), at)
    return (at + len(pending) - offset) // HASH_BLOCK
