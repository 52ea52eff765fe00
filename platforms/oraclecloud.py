"""Oracle Cloud Infrastructure."""

from bootimg.arch import Arch
from bootimg.platform import Platform

PLATFORM = Platform(
    name="oraclecloud",
    summary="Oracle Cloud Infrastructure",
    arches=frozenset({Arch.X86_64, Arch.AARCH64}),
    disk_format="qcow2",
    suffix="qcow2",
    format_options={"compat": "1.1", "compression": False},
)
