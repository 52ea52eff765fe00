"""QEMU, for development and tests."""

from bootimg.arch import Arch
from bootimg.platform import Console, Platform

from .consoles import SERIAL, SERIAL_LAST

PLATFORM = Platform(
    name="qemu",
    summary="QEMU and libvirt, for development and tests",
    arches=frozenset(Arch),
    disk_format="qcow2",
    suffix="qcow2",
    format_options={"compat": "1.1", "compression": False},
    consoles={
        Arch.X86_64: Console(SERIAL, SERIAL_LAST),
        Arch.AARCH64: Console(SERIAL),
        Arch.PPC64LE: Console((), ("console=hvc0", "console=tty0")),
    },
)
