"""Apple's hypervisor, which podman machine uses on macOS."""

from bootimg.arch import Arch
from bootimg.platform import Platform

PLATFORM = Platform(
    name="applehv",
    summary="Apple Hypervisor (podman machine on macOS)",
    arches=frozenset({Arch.X86_64, Arch.AARCH64}),
    disk_format="raw",
    suffix="raw",
)
