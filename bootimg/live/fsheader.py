"""What the superblock of a live root file system says.

Sources: the kernel's squashfs_fs.h and erofs_fs.h.  The bytes are untrusted.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from bootimg.errors import BootimgError
from bootimg.live.fsoptions import FsType

_SQUASHFS_MAGIC, _EROFS_MAGIC = b"hsqs", b"\xe2\xe1\xf5\xe0"
_EROFS_AT, _EROFS_SIZE = 1024, 128
# magic, inodes, time, block size, fragments, compressor, log of the block size, flags, ids, major, minor,
# reference of the root, bytes used
_SQUASHFS = struct.Struct("<4s4I6H2Q")
_SQUASHFS_COMPRESSORS = {1: "gzip", 2: "lzma", 3: "lzo", 4: "xz", 5: "lz4", 6: "zstd"}
_EROFS_COMPRESSORS = ("lz4", "lzma", "deflate", "zstd")
# Without the second, all is lz4.
_COMPRESSED, _NAMED, _FRAGMENTS = 0x1, 0x2, 0x20


@dataclass(frozen=True, slots=True)
class FsHeader:
    """A file system: its size in bytes, its inodes, the names of its compressors.

    An erofs that is not compressed has none, and a compressed one counts `extra_inodes` that have no name.
    """

    fstype: FsType
    size: int
    inodes: int
    compressors: tuple[str, ...]
    extra_inodes: int = 0


def read_header(file: BinaryIO, offset: int) -> FsHeader:
    """The file system that begins at `offset` of a file; raises `live-rootfs-unreadable`.

    All of the file system has to be in the file.
    """
    file.seek(offset)
    start = file.read(_EROFS_AT + _EROFS_SIZE)
    found = next(filter(None, (parse(start) for parse in _PARSERS)), None)
    if found is None:
        raise unreadable(offset, "there is no superblock of squashfs 4.0 or erofs")
    left = file.seek(0, os.SEEK_END) - offset
    if found.size > left:
        raise unreadable(offset, f"the file system has {found.size} bytes, the file only {left} from there")
    return found


def _squashfs(start: bytes) -> FsHeader | None:
    if len(start) < _SQUASHFS.size:
        return None
    magic, inodes, _, _, _, compressor, _, _, _, major, minor, _, used = _SQUASHFS.unpack_from(start)
    if magic != _SQUASHFS_MAGIC or (major, minor) != (4, 0) or compressor not in _SQUASHFS_COMPRESSORS:
        return None
    return FsHeader(FsType.SQUASHFS, used, inodes, (_SQUASHFS_COMPRESSORS[compressor],))


def _erofs(start: bytes) -> FsHeader | None:
    block = start[_EROFS_AT:]
    if len(block) < _EROFS_SIZE or not block.startswith(_EROFS_MAGIC):
        return None
    bits, inodes, blocks = block[12], *struct.unpack_from("<Q12xI", block, 16)
    incompatible, algorithms = struct.unpack_from("<IH", block, 80)
    if not 9 <= bits <= 16:
        return None
    named = _algorithms(algorithms if incompatible & _NAMED else incompatible & _COMPRESSED)
    extra = 1 if incompatible & _FRAGMENTS else 0
    return FsHeader(FsType.EROFS, blocks << bits, inodes, named, extra)


def _algorithms(bits: int) -> tuple[str, ...]:
    return tuple(name for number, name in enumerate(_EROFS_COMPRESSORS) if bits >> number & 1)


_PARSERS: tuple[Callable[[bytes], FsHeader | None], ...] = (_squashfs, _erofs)


def unreadable(offset: int, what: str) -> BootimgError:
    """The error for a root file system that begins at byte `offset` of its file."""
    return BootimgError(
        "live-rootfs-unreadable",
        "the live system's root file system cannot be read",
        context=[f"at byte {offset}: {what}"],
        hint="the file is damaged or no rootfs image of a live system: fetch or build it again",
    )
