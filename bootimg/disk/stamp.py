"""The stamp on /boot that makes the first boot run Ignition: GRUB sources it."""

from __future__ import annotations

from bootimg.appliance import Appliance
from bootimg.disk.ostree_deploy import SYSROOT
from bootimg.manifest.recipe import Ignition


def stamp_ignition(vm: Appliance, ignition: Ignition) -> str:
    """Write the stamp that makes the first boot run Ignition; it is empty unless it sets the network."""
    words = " ".join(ignition.network)
    path = f"{SYSROOT}/{ignition.directory.strip('/')}/ignition.firstboot"
    vm.put(path, f"set ignition_network_kcmdline='{words}'\n".encode() if words else b"")
    return path
