"""Bare metal, with 512-byte sectors."""

from bootimg.arch import Arch
from bootimg.platform import DiskSize, Platform

PLATFORM = Platform(
    name="metal",
    summary="Bare metal",
    arches=frozenset(Arch),
    disk_format="raw",
    suffix="raw",
    size=DiskSize.METAL,
)
