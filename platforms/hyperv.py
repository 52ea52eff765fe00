"""Microsoft Hyper-V."""

from bootimg.arch import Arch
from bootimg.platform import Platform

PLATFORM = Platform(
    name="hyperv",
    summary="Microsoft Hyper-V",
    arches=frozenset({Arch.X86_64, Arch.AARCH64}),
    disk_format="vhdx",
    suffix="vhdx",
)
