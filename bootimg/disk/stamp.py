"""The stamp on /boot that makes the first boot run Ignition: GRUB sources it."""

from __future__ import annotations

from bootimg.appliance import Appliance
from bootimg.disk.ostree_deploy import SYSROOT
from bootimg.manifest.recipe import Ignition
from bootimg.sysroot.ignition import STAMP, stamp_content


def stamp_ignition(vm: Appliance, ignition: Ignition) -> str:
    """Write the stamp that makes the first boot run Ignition; it is empty unless it sets the network."""
    path = f"{SYSROOT}/{ignition.directory.strip('/')}/{STAMP}"
    vm.put(path, stamp_content(ignition))
    return path
