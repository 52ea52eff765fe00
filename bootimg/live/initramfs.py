"""The initramfs of a live system: the layer's own, and an archive that makes it a live one.

Source: the live stage of osbuild.  The archive is appended; it is not compressed, so its bytes depend on no
compressor.  Further archives (a rootfs image, an Ignition config) can follow, because the end is aligned.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from bootimg.formats.output import DigestingFile, Written
from bootimg.live import cpio
from bootimg.live.cpio import Member

FEATURES = "etc/coreos/features.json"
VERSION = "etc/coreos-live-initramfs"
WANT_ROOTFS = "etc/coreos-live-want-rootfs"


def overlay(build_id: str, features: bytes, want_rootfs: bytes) -> tuple[Member, ...]:
    """The files of the archive: the build's id, features.json, the checksums of the rootfs image."""
    return (
        Member(VERSION, f"{build_id}\n".encode()),
        Member(WANT_ROOTFS, want_rootfs),
        Member(FEATURES, features),
    )


def write_initramfs(path: Path, own: Iterable[bytes], files: Iterable[Member]) -> Written:
    """Write a scratch file with the layer's `own` initramfs, in pieces, and the archive of `files`."""
    with path.open("wb") as handle, DigestingFile(handle) as out:
        for piece in own:
            out.write(piece)
        out.write(cpio.padding(out.position))
        for piece in cpio.members(files):
            out.write(piece)
        return out.finish(path)
