"""How large the disk must be: an estimate of the root file system before it is made.

The rule is coreos-assembler's estimate-commit-disk-size: every object takes whole 4 KiB blocks, one
more than its size says, and an inode of 512 bytes; 40 % are added for the file system's own data and
what ostree keeps, and 1 MiB.

Added to that is what mkfs.xfs takes since xfsprogs 5.15 however small the file system: a log of 64 MiB
and the reservations of its allocation groups.  40 % of a layer of 1.4 GiB hide them, of a small one not.
"""

from __future__ import annotations

from bootimg.arch import Arch
from bootimg.layer.entry import Kind
from bootimg.layer.tree import Tree
from bootimg.sizes import MIB, align_up

_BLOCK, _INODE = 4096, 512
_PERCENT = 140
_XFS = 64 + 192
# The partitions before the root, and the gap at the end: 1 + 127 + 384 + 1 MiB.
_OTHERS = 513
# s390x keeps room for Secure Execution's partitions: 200 + 128 + 256 + 1 MiB.
_SECEX = 585


def estimate_root_mib(tree: Tree) -> int:
    """MiB that the root file system needs for the tree, margin included."""
    objects = {entry.link_key: entry.size for entry in tree.entries.values() if entry.kind is Kind.FILE}
    others = sum(entry.kind is not Kind.FILE for entry in tree.entries.values())
    blocks = sum(size // _BLOCK + 1 for size in objects.values()) + others
    used = blocks * _BLOCK + (len(objects) + others) * _INODE
    return align_up(used * _PERCENT // 100, MIB) // MIB + 1 + _XFS


def metal_size_mib(tree: Tree, arch: Arch) -> int:
    """MiB of the base disk: the root file system and the partitions beside it."""
    return estimate_root_mib(tree) + _OTHERS + (_SECEX if arch is Arch.S390X else 0)
