"""OpenStack."""

from bootimg.arch import Arch
from bootimg.platform import Console, Platform

from .consoles import SCREEN_LAST, SERIAL

PLATFORM = Platform(
    name="openstack",
    summary="OpenStack",
    arches=frozenset(Arch),
    disk_format="qcow2",
    suffix="qcow2",
    format_options={"compat": "1.1", "compression": False},
    consoles={
        Arch.X86_64: Console(SERIAL, SCREEN_LAST),
        Arch.AARCH64: Console(SERIAL, ("console=ttyAMA0,115200n8", "console=tty0")),
        Arch.PPC64LE: Console((), ("console=hvc0", "console=tty0")),
    },
)
