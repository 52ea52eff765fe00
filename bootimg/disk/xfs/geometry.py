"""The superblock of an empty XFS: where things are, and whether we know all its features."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from bootimg.crc32c import crc32c
from bootimg.disk.xfs.addressing import Addressing
from bootimg.disk.xfs.errors import not_fresh, unsupported_feature
from bootimg.disk.xfs.layout import BASIC, BLOCK, INODE
from bootimg.disk.xfs.partition import Partition

# ftype 1, sparse inodes 2, bigtime 8 (not 64-bit extent counters, 0x20, nor exchange, parent, metadir);
# free inode tree 1, reflink 4, inode block counters 8 (not the reverse mapping tree, 2).
_INCOMPATIBLE = 0xB
_READ_ONLY_COMPATIBLE = 0xD
_FEATURES = (0, _READ_ONLY_COMPATIBLE, _INCOMPATIBLE, 0)
_VERSION = 5
# In the version: quota 0x40, shared 0x200, names whose case is ignored 0x4000.
_UNKNOWN_BITS = 0x4240
# Lazy counters, attributes of version 2, 32-bit project ids, checksums, file types in directories.
_KNOWN_FEATURES2 = 0x2 | 0x8 | 0x80 | 0x100 | 0x200
_HAS_ATTRIBUTES = 0x10
_CHECKSUM = 224


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry(Addressing):
    """What the superblock says; numbers of blocks unless stated otherwise.

    `log` has the log's file system block number and its length.
    """

    superblock: bytes
    sector: int
    blocks: int
    uuid: bytes
    group_count: int
    log: tuple[int, int]
    inode_alignment: int
    inode_percent: int
    root: int
    bitmap_inode: int
    summary_inode: int

    @property
    def reserve_pool(self) -> int:
        """Blocks that a kernel sets aside when it mounts: a twentieth, at most 8192."""
        return min(self.blocks // 20, 8192)

    @property
    def realtime_inodes(self) -> tuple[int, int]:
        """The two inodes beside the root that mkfs.xfs makes."""
        return self.bitmap_inode, self.summary_inode

    def finished_superblock(self, inodes: int, free_inodes: int, free_blocks: int) -> bytes:
        """The superblock with the counters of a filled file system."""
        sector = bytearray(self.superblock)
        struct.pack_into(">QQQ", sector, 128, inodes, free_inodes, free_blocks)
        # Newer versions of mkfs.xfs set it in any case.
        (version,) = struct.unpack_from(">H", sector, 100)
        struct.pack_into(">H", sector, 100, version | _HAS_ATTRIBUTES)
        return seal(sector, _CHECKSUM)


def read_geometry(partition: Partition) -> Geometry:
    """Read the superblock; `xfs-feature-unsupported` or `xfs-not-fresh` where we cannot go on."""
    (sector,) = struct.unpack(">H", partition.read(102, 2))
    if sector not in (BASIC, BLOCK):
        raise unsupported_feature(f"sectors of {sector} bytes")
    superblock = partition.read(0, sector)
    # Older versions have no checksum.
    if superblock[:4] == b"XFSB" and superblock[101] & 15 != _VERSION:
        raise unsupported_feature(f"version {superblock[101] & 15} of the format")
    check_sealed(superblock, _CHECKSUM, b"XFSB")
    _check_features(superblock)
    _check_finished(superblock)
    (blocks,) = struct.unpack_from(">Q", superblock, 8)
    root, bitmap, summary = struct.unpack_from(">QQQ", superblock, 56)
    group_blocks, group_count = struct.unpack_from(">II", superblock, 84)
    return Geometry(
        superblock=superblock,
        sector=sector,
        blocks=blocks,
        uuid=superblock[32:48],
        group_blocks=group_blocks,
        group_count=group_count,
        group_bits=superblock[124],
        log=(struct.unpack_from(">Q", superblock, 48)[0], struct.unpack_from(">I", superblock, 96)[0]),
        inode_alignment=struct.unpack_from(">I", superblock, 180)[0],
        inode_percent=superblock[127],
        root=root,
        bitmap_inode=bitmap,
        summary_inode=summary,
    )


def _check_features(superblock: bytes) -> None:
    block, version, inode = (
        struct.unpack_from(form, superblock, at)[0] for form, at in ((">I", 4), (">H", 100), (">H", 104))
    )
    if (version & 15, block, inode, superblock[192]) != (_VERSION, BLOCK, INODE, 0):
        raise unsupported_feature(f"version {version & 15}, blocks of {block} and inodes of {inode} bytes")
    features2, *features = struct.unpack_from(">I4x4I", superblock, 200)
    if tuple(features) != _FEATURES or version & _UNKNOWN_BITS or features2 & ~_KNOWN_FEATURES2:
        bits = " ".join(f"{each:#x}" for each in (version, features2, *features))
        raise unsupported_feature(f"feature bits {bits}")
    if struct.unpack_from(">Q", superblock, 16) != (0,) or struct.unpack_from(">Q", superblock, 48) == (0,):
        raise unsupported_feature("a realtime device or an external log")


def _check_finished(superblock: bytes) -> None:
    root, bitmap, summary = struct.unpack_from(">QQQ", superblock, 56)
    if superblock[126] or (bitmap, summary) != (root + 1, root + 2):
        raise not_fresh("mkfs.xfs did not finish")


def check_sealed(record: bytes, checksum: int, magic: bytes) -> None:
    """Check a structure's magic number and CRC-32C, which lies at `checksum`."""
    (kept,) = struct.unpack_from("<I", record, checksum)
    if not record.startswith(magic) or crc32c(_without(record, checksum)) != kept:
        raise not_fresh(f"{magic.decode()} is damaged")


def seal(record: bytes | bytearray, checksum: int) -> bytes:
    """The structure with its CRC-32C, which is little-endian unlike everything else."""
    value = crc32c(_without(record, checksum))
    return b"".join((record[:checksum], struct.pack("<I", value), record[checksum + 4 :]))


def _without(record: bytes | bytearray, checksum: int) -> bytes:
    return b"".join((record[:checksum], bytes(4), record[checksum + 4 :]))
