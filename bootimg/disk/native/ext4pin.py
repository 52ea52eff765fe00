"""What e2fsprogs writes differently by its version, made the same.

mke2fs before 1.47.1 marks the block bitmaps of groups that hold a backup of the superblock as not yet
written (BLOCK_UNINIT); newer versions write them.  All versions count the KiB that they have written, each in
its own way, and leave a count of 0 as it is (libext2fs, closefs.c).  debugfs does not touch the backups of
superblock and group descriptors.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bootimg.crc32c import crc32c
from bootimg.disk.extents import read_exactly, write_fully

# Offsets of the superblock's fields are those of the kernel's Documentation/filesystems/ext4.
_SUPERBLOCK, _SIZE = 1024, 1024
_BLOCKS, _FIRST_BLOCK, _LOG_BLOCK_SIZE, _GROUP_BLOCKS = 0x04, 0x14, 0x18, 0x20
_DESCRIPTOR_SIZE, _WRITTEN, _CHECKSUM = 0xFE, 0x178, 0x3FC
# INODE_UNINIT and INODE_ZEROED: no inode is used yet, and the inode table is zeros.
_FLAGS = 0x5


@dataclass(frozen=True, slots=True)
class _Geometry:
    """Where the groups are; `first` is the number of the first group's first block."""

    blocks: int
    first: int
    block_size: int
    group_blocks: int
    descriptor_size: int

    @property
    def groups(self) -> int:
        return -(-(self.blocks - self.first) // self.group_blocks)

    def backups(self) -> list[int]:
        """The groups with a backup by the feature sparse_super: 1 and the powers of 3, 5 and 7."""
        exponents = range(self.groups.bit_length())
        powers = {base**exponent for base in (3, 5, 7) for exponent in exponents}
        return sorted(each for each in powers if each < self.groups)

    def start(self, group: int) -> int:
        """The offset of a group in bytes: of its copy of the superblock, which the descriptors follow."""
        return (self.first + group * self.group_blocks) * self.block_size


def pinning(image: Path) -> Iterator[bytes]:
    """The commands of debugfs for an empty ext4 from `make_ext4`; one must follow that allocates a block.

    debugfs writes the bitmaps only if one of them has changed.
    """
    yield b"set_super_value kbytes_written 0"
    for group in _geometry(image).backups():
        yield b"set_block_group %d flags %d" % (group, _FLAGS)
        yield b"set_block_group %d checksum calc" % group


def renew_backups(image: Path) -> None:
    """Give the backups the group descriptors that the file system has, and no count of KiB written."""
    geometry = _geometry(image)
    fd = os.open(image, os.O_RDWR | os.O_CLOEXEC)
    try:
        length, block = geometry.groups * geometry.descriptor_size, geometry.block_size
        descriptors = read_exactly(fd, geometry.start(0) + block, length)
        for group in geometry.backups():
            start = geometry.start(group)
            write_fully(fd, _without_count(read_exactly(fd, start, _SIZE)), start)
            write_fully(fd, descriptors, start + block)
    finally:
        os.close(fd)


def _without_count(superblock: bytes) -> bytes:
    changed = bytearray(superblock)
    struct.pack_into("<Q", changed, _WRITTEN, 0)
    # ext4's checksums lack the inversion at the end.
    struct.pack_into("<I", changed, _CHECKSUM, crc32c(bytes(changed[:_CHECKSUM])) ^ 0xFFFFFFFF)
    return bytes(changed)


def _geometry(image: Path) -> _Geometry:
    with image.open("rb") as file:
        superblock = read_exactly(file.fileno(), _SUPERBLOCK, _SIZE)
    blocks, first, log, group_blocks = (
        struct.unpack_from("<I", superblock, at)[0]
        for at in (_BLOCKS, _FIRST_BLOCK, _LOG_BLOCK_SIZE, _GROUP_BLOCKS)
    )
    (descriptor_size,) = struct.unpack_from("<H", superblock, _DESCRIPTOR_SIZE)
    return _Geometry(blocks, first, 1024 << log, group_blocks, descriptor_size)
