"""QEMU, for development and tests."""

from bootimg.arch import Arch
from bootimg.platform import Console, Platform

_SERIAL = (
    "serial --speed=115200",
    "terminal_input serial console",
    "terminal_output serial console",
)

PLATFORM = Platform(
    name="qemu",
    summary="QEMU and libvirt, for development and tests",
    arches=frozenset(Arch),
    disk_format="qcow2",
    suffix="qcow2",
    format_options={"compat": "1.1", "compression": False},
    consoles={
        Arch.X86_64: Console(_SERIAL, ("console=tty0", "console=ttyS0,115200n8")),
        Arch.PPC64LE: Console((), ("console=hvc0", "console=tty0")),
    },
)
