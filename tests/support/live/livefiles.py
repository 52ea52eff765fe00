"""Small files of live media that are what they should be, and an ISO of them, for tests."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from bootimg.live import cpio
from bootimg.live.cpio import Member
from bootimg.live.fsoptions import FsType
from bootimg.live.initramfs import overlay
from bootimg.live.iso.liveiso import LiveIso
from bootimg.live.miniso.pack import with_miniso
from bootimg.live.osmet.fileformat import MappedPartition, Osmet, encoded
from bootimg.live.rootfsimage import VERSION, member_name
from bootimg.live.streamhash import CHUNK, StreamHash
from tests.support.live.liveiso import FEATURES, GRUB, ISOLINUX, kargs_info, live_iso, part, write

BUILD = "9.6.20261101-0"
METAL = {512: "ab" * 32, 4096: "cd" * 32}
"""The SHA-256 of metal images, by their sector size."""
TEMPLATE = {"EFI/redhat/grub.cfg": GRUB, "isolinux/isolinux.cfg": ISOLINUX}


def squashfs(size: int = CHUNK + 5000) -> bytes:
    """A superblock, and data."""
    fields = (b"hsqs", 7, 0, 1 << 17, 0, 6, 17, 0, 1, 4, 0, 0, size)
    data = struct.pack("<4s4I6H2Q", *fields)
    return (data + bytes(range(251)) * (size // 251)).ljust(size, b"\0")[:size]


def osmet(sector_size: int, digest: str) -> bytes:
    """The part of an osmet file before the packed image, and some bytes."""
    found = Osmet(
        app_version="a test",
        sector_size=sector_size,
        description="Stand-in 9.6",
        architecture="x86_64",
        partitions=[MappedPartition(1 << 20, 2 << 20, [])],
        checksum=bytes.fromhex(digest),
        size=3 << 20,
    )
    return encoded(found) + b"packed"


def osmets(metal: Mapping[int, str] = METAL) -> dict[str, bytes]:
    """Osmet files by name."""
    return {f"rhcos-{size}.osmet": osmet(size, digest) for size, digest in metal.items()}


def rootfs_image(
    *,
    version: str | None = BUILD,
    filesystem: bytes | None = None,
    name: str = member_name(FsType.SQUASHFS),
    files: Mapping[str, bytes] | None = None,
) -> bytes:
    """A rootfs image; `files` are its osmet files."""
    stamps = [] if version is None else [Member(VERSION, f"{version}\n".encode())]
    others = [Member(path, data) for path, data in (osmets() if files is None else files).items()]
    first = Member(name, squashfs() if filesystem is None else filesystem)
    return b"".join(cpio.members([first, *stamps, *others]))


def want_rootfs(rootfs: bytes) -> bytes:
    """The checksums of a rootfs image."""
    chunks = StreamHash()
    chunks.update(rootfs)
    return chunks.text()


def archive(files: Mapping[str, bytes]) -> bytes:
    """An archive of an initramfs."""
    return b"".join(cpio.members([Member(path, data) for path, data in files.items()]))


def initramfs(rootfs: bytes, *, version: str = BUILD, features: bytes = FEATURES) -> bytes:
    """An initramfs whose first archive is the layer's own."""
    own = archive({"init": b"a program" * 50})
    return own + b"".join(cpio.members(overlay(version, features, want_rootfs(rootfs))))


def whole_iso(**changes: object) -> LiveIso:
    """A live ISO that breaks no rule, except for the changes."""
    rootfs = rootfs_image()
    made = live_iso(
        template=TEMPLATE,
        kargs_info=kargs_info(TEMPLATE),
        rootfs=part(rootfs),
        initrd=part(initramfs(rootfs)),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def written(iso: LiveIso, path: Path) -> Path:
    """The ISO as a file, without the data for a minimal one."""
    return write(iso.layout(), path).path


def written_whole(iso: LiveIso, path: Path) -> Path:
    """The ISO as a file, with the data for a minimal one, which takes longer."""
    return write(with_miniso(iso.layout(), iso.minimal_layout()), path).path
