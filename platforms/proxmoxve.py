"""Proxmox Virtual Environment."""

from bootimg.arch import Arch
from bootimg.platform import Platform

PLATFORM = Platform(
    name="proxmoxve",
    summary="Proxmox VE",
    arches=frozenset({Arch.X86_64}),
    disk_format="qcow2",
    suffix="qcow2",
    format_options={"compat": "1.1", "compression": False},
)
