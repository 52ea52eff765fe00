"""The rootfs image: the file system, then the files that an installation and a network boot need.

Source: the live stage of osbuild.  The image is an initramfs archive: a boot from the network gets it
appended to the initramfs, or the initramfs downloads and checks it.  A live system on an ISO mounts the file
system from the middle of the image: it is the data of the first member and begins at byte 124.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bootimg.formats.output import DigestingFile, Written
from bootimg.live import cpio
from bootimg.live.cpio import Member
from bootimg.live.fsoptions import FsType
from bootimg.live.streamhash import StreamHash

DATA_OFFSET = 124
"""Where a live initramfs looks for the file system."""
VERSION = "etc/coreos-live-rootfs"
"""The member with the build's id, which a live initramfs compares with its own."""


@dataclass(frozen=True, slots=True)
class RootfsImage:
    """A finished image, and the checksums of its chunks as the initramfs has them."""

    written: Written
    want_rootfs: bytes


def member_name(fstype: FsType) -> str:
    """The name of the first member, by which the initramfs finds the file system."""
    return f"root.{fstype}"


def write_image(
    path: Path, filesystem: Path, fstype: FsType, build_id: str, extra: Iterable[Member] = ()
) -> RootfsImage:
    """Write the image to a scratch file, and compute its digests meanwhile; all is read once.

    `extra` members, such as osmet files, follow the build's id.  Raises `live-file-too-large`.
    """
    assert len(cpio.header(member_name(fstype), 0, 0)) == DATA_OFFSET
    root, version = Member(member_name(fstype), filesystem), Member(VERSION, f"{build_id}\n".encode())
    chunks = StreamHash()
    with path.open("wb") as handle, DigestingFile(handle) as out:
        for piece in cpio.members([root, version, *extra]):
            out.write(piece)
            chunks.update(piece)
        return RootfsImage(out.finish(path), chunks.text())
