"""Oracle VirtualBox: an OVA."""

from bootimg.arch import Arch
from bootimg.platform import Console, Packaging, Platform

from .consoles import SCREEN_LAST, SERIAL

PLATFORM = Platform(
    name="virtualbox",
    summary="Oracle VirtualBox",
    arches=frozenset({Arch.X86_64}),
    disk_format="vmdk",
    suffix="ova",
    format_options={"subformat": "streamOptimized", "compression": True},
    packaging=Packaging.OVA,
    packaging_options={"ovf": "virtualbox"},
    skip_compression=True,
    consoles={
        Arch.X86_64: Console(SERIAL, SCREEN_LAST),
    },
)
