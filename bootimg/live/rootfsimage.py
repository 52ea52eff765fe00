"""The rootfs image: the file system, then the files that an installation and a network boot need.

Source: the live stage of osbuild.  The image is an initramfs archive: a boot from the network gets it
appended to the initramfs, or the initramfs downloads and checks it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bootimg.disk.extents import read_exactly, write_fully
from bootimg.formats.output import Digest, Written
from bootimg.live import cpio
from bootimg.live.cpio import Member
from bootimg.live.fsoptions import FsType
from bootimg.live.rootfs import DATA_OFFSET, member_name
from bootimg.live.streamhash import CHUNK, StreamHash

VERSION = "etc/coreos-live-rootfs"
"""The member with the build's id, which a live initramfs compares with its own."""


@dataclass(frozen=True, slots=True)
class RootfsImage:
    """A finished image, and the checksums of its chunks as the initramfs has them."""

    written: Written
    want_rootfs: bytes


def finish_image(path: Path, fstype: FsType, build_id: str, extra: Iterable[Member] = ()) -> RootfsImage:
    """Make an image of a file that has the file system from `DATA_OFFSET` on.

    `extra` members, such as osmet files, follow the build's id.  The file is then read once, for its digests.
    Raises `live-file-too-large`.
    """
    with path.open("r+b") as file:
        fd = file.fileno()
        size = os.fstat(fd).st_size - DATA_OFFSET
        start = cpio.header(member_name(fstype), size, 1)
        assert len(start) == DATA_OFFSET
        write_fully(fd, start, 0)
        at = DATA_OFFSET + size
        for piece in _rest(size, build_id, extra):
            write_fully(fd, piece, at)
            at += len(piece)
        return _digested(path, fd, at)


def _rest(size: int, build_id: str, extra: Iterable[Member]) -> Iterator[bytes]:
    yield cpio.padding(size)
    yield from cpio.members([Member(VERSION, f"{build_id}\n".encode()), *extra], first=2)


def _digested(path: Path, fd: int, size: int) -> RootfsImage:
    chunks = StreamHash()
    with Digest() as digest:
        for at in range(0, size, CHUNK):
            data = read_exactly(fd, at, min(CHUNK, size - at))
            digest.update(data)
            chunks.update(data)
        return RootfsImage(Written(path, size, digest.hexdigest()), chunks.text())
