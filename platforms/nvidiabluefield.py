"""NVIDIA BlueField DPUs: a boot stream made from live media."""

from bootimg.arch import Arch
from bootimg.platform import Console, Packaging, Platform

PLATFORM = Platform(
    name="nvidiabluefield",
    summary="NVIDIA BlueField DPU",
    arches=frozenset({Arch.AARCH64}),
    disk_format="bfb",
    suffix="bfb",
    packaging=Packaging.BFB,
    skip_compression=True,
    consoles={
        Arch.AARCH64: Console((), ("console=hvc0", "console=ttyAMA0", "earlycon=pl011,0x13010000")),
    },
)
