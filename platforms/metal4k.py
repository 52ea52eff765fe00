"""Bare metal, with 4096-byte sectors."""

from bootimg.arch import Arch
from bootimg.platform import DiskSize, Platform

PLATFORM = Platform(
    name="metal4k",
    summary="Bare metal, disks with 4096-byte sectors",
    arches=frozenset(Arch),
    disk_format="raw",
    suffix="raw",
    size=DiskSize.METAL,
    sector_size=4096,
    ignition_platform="metal",
    release_platform="metal",
    release_prefix="4k.",
)
