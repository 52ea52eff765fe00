"""Nutanix AHV."""

from bootimg.arch import Arch
from bootimg.platform import Platform

PLATFORM = Platform(
    name="nutanix",
    summary="Nutanix AHV",
    arches=frozenset({Arch.X86_64}),
    disk_format="qcow2",
    suffix="qcow2",
    format_options={"compat": "1.1", "compression": True},
    skip_compression=True,
)
