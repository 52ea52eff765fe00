"""The Example cloud."""

from bootimg.arch import Arch
from bootimg.platform import Console, Platform

PLATFORM = Platform(
    name="example",
    summary="The Example cloud",
    arches=frozenset({Arch.X86_64, Arch.AARCH64}),
    disk_format="qcow2",
    suffix="qcow2",
    format_options={"compat": "1.1", "compression": False},
    consoles={Arch.X86_64: Console(kernel_arguments=("console=ttyS0,115200n8",))},
)
