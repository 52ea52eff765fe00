"""Hetzner Cloud."""

from bootimg.arch import Arch
from bootimg.platform import Platform

PLATFORM = Platform(
    name="hetzner",
    summary="Hetzner Cloud",
    arches=frozenset({Arch.X86_64, Arch.AARCH64}),
    disk_format="raw",
    suffix="raw",
)
