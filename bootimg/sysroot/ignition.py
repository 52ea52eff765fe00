"""The stamp on /boot that makes the first boot run Ignition: GRUB sources it."""

from __future__ import annotations

from bootimg.manifest.recipe import Ignition

STAMP = "ignition.firstboot"


def stamp_content(ignition: Ignition) -> bytes:
    """The stamp's content: empty unless it sets the network."""
    words = " ".join(ignition.network)
    return f"set ignition_network_kcmdline='{words}'\n".encode() if words else b""
