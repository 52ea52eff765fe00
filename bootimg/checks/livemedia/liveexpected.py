"""What the record of a build says about its live media: names, versions and digests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bootimg.arch import Arch
from bootimg.builds.find import Build
from bootimg.live.iso.liveiso import INITRD, KERNEL, ROOTFS
from bootimg.platform import platforms
from bootimg.targets import LIVE

ISO_KEY, KERNEL_KEY, INITRD_KEY, ROOTFS_KEY = (file.key for file in LIVE.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """The build's name, id and architecture, and the SHA-256 of files in hex.

    `files` has those of the files for PXE, by their paths on the ISO.  `metals` has those of uncompressed
    metal images, by their sector size.
    """

    name: str
    build_id: str
    arch: Arch
    files: Mapping[str, str]
    metals: Mapping[int, str]


def expected_of(build: Build) -> Expected:
    """What a build's meta.json says."""
    images = build.images
    keys = {KERNEL: KERNEL_KEY, INITRD: INITRD_KEY, ROOTFS: ROOTFS_KEY}
    metals = {}
    for platform in (platforms()[name] for name in LIVE.made_from):
        entry = images.get(platform.image_key, {})
        plain = str(entry.get("path", "")).endswith(f".{platform.suffix}")
        digest = entry.get("uncompressed-sha256") or (entry.get("sha256") if plain else None)
        if digest is not None:
            metals[platform.sector_size] = str(digest)
    return Expected(
        name=str(build.meta.get("name")),
        build_id=build.id,
        arch=build.arch,
        files={path: str(images[key]["sha256"]) for path, key in keys.items() if key in images},
        metals=metals,
    )
