"""Where the blocks and inodes of an XFS are."""

from __future__ import annotations

from dataclasses import dataclass

from bootimg.disk.xfs.layout import BLOCK, INODE


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressing:
    """Block and inode numbers have an allocation group's number in their high bits.

    `group_blocks` is the size of a group in blocks, `group_bits` the bits of a block number within its group.
    """

    group_blocks: int
    group_bits: int

    @property
    def inode_bits(self) -> int:
        """Bits of an inode number within its allocation group."""
        return self.group_bits + (BLOCK // INODE).bit_length() - 1

    def address(self, block: int) -> int:
        """The byte address of a file system block number."""
        group, within = block >> self.group_bits, block & (1 << self.group_bits) - 1
        return (group * self.group_blocks + within) * BLOCK

    def inode_address(self, number: int) -> int:
        """The byte address of an inode."""
        group, within = number >> self.inode_bits, number & (1 << self.inode_bits) - 1
        return group * self.group_blocks * BLOCK + within * INODE
