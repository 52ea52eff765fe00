"""Vultr."""

from bootimg.arch import Arch
from bootimg.platform import Platform

PLATFORM = Platform(
    name="vultr",
    summary="Vultr",
    arches=frozenset({Arch.X86_64}),
    disk_format="raw",
    suffix="raw",
)
