"""Azure Stack Hub, which accepts only disks of whole MiB, as Azure does."""

from bootimg.arch import Arch
from bootimg.platform import Platform

PLATFORM = Platform(
    name="azurestack",
    summary="Microsoft Azure Stack Hub",
    arches=frozenset({Arch.X86_64}),
    disk_format="vpc",
    suffix="vhd",
    format_options={"subformat": "fixed", "force_size": True},
    size_multiple_mib=1,
)
