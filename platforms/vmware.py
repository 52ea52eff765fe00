"""VMware vSphere: an OVA."""

from bootimg.arch import Arch
from bootimg.platform import Console, Packaging, Platform

from .consoles import SCREEN_LAST, SERIAL

PLATFORM = Platform(
    name="vmware",
    summary="VMware vSphere",
    arches=frozenset({Arch.X86_64}),
    disk_format="vmdk",
    suffix="ova",
    format_options={
        "subformat": "streamOptimized",
        "adapter_type": "lsilogic",
        "compat6": True,
        "compression": True,
    },
    packaging=Packaging.OVA,
    packaging_options={"ovf": "vmware"},
    skip_compression=True,
    consoles={
        Arch.X86_64: Console(SERIAL, SCREEN_LAST),
    },
)
