"""A base disk laid out without a kernel: every file system is written to the disk file directly."""

from __future__ import annotations

NATIVE_PROGRAMS = {
    "mkfs.xfs": "xfsprogs",
    "xfs_repair": "xfsprogs",
    "mke2fs": "e2fsprogs",
    "debugfs": "e2fsprogs",
    "e2fsck": "e2fsprogs",
    "mkfs.fat": "dosfstools",
    "fsck.fat": "dosfstools",
    "mmd": "mtools",
    "mcopy": "mtools",
}
"""The programs of this machine that write and check the file systems, with their packages."""
