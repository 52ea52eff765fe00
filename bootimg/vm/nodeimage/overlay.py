"""The drive with a node image, and what a guest's Ignition config needs to lay it over the system.

openshift/installer does the same on a bootstrap machine (node-image-pull and node-image-overlay services),
which gets the image from a registry.  Here it comes on a drive, so that the guest needs no network.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from bootimg.vm.drives import DataDrive
from bootimg.vm.ignition import File, Unit

SERIAL = "bootimg-node-image"
"""The drive's serial number; the guest finds it as /dev/disk/by-id/virtio-bootimg-node-image."""
REF = "bootimg/node-image"
"""The ref of the node image in the drive's repository, and in the guest's."""
UNIT = "bootimg-node-image.service"
PROGRAM = "/usr/local/bin/bootimg-node-image"
_SCRIPT = "lay-node-image"
# It needs no network, and runs after the early services and before all others: these are the node image's.
_CONTENTS = """[Unit]
Description=Node image of bootimg run --overlay
DefaultDependencies=no
After=sysinit.target local-fs.target systemd-udev-trigger.service
Before=basic.target shutdown.target
Conflicts=shutdown.target
ConditionPathExists=/run/ostree-booted

[Service]
Type=oneshot
RemainAfterExit=yes
TimeoutStartSec=infinity
StandardOutput=journal+console
StandardError=journal+console
Environment=LIVE_SPACE={live_space}
# SELinux lets ostree write labels that the booted policy does not know, and this program with the same label.
ExecStartPre=-/usr/bin/chcon --reference=/usr/bin/ostree {program}
ExecStart={program}

[Install]
WantedBy=basic.target
"""


@dataclass(frozen=True, slots=True)
class NodeOverlay:
    """A squashfs image with a bare ostree repository of the node image, in which REF names it.

    `live_space` is the size in bytes of the file system in memory into which a live system pulls it.
    """

    image: Path
    live_space: int

    @property
    def drive(self) -> DataDrive:
        """The image as a drive of the guest."""
        return DataDrive(self.image, SERIAL)

    @property
    def program(self) -> File:
        """The program that lays the node image over the system."""
        return File(PROGRAM, 0o755, files(__package__).joinpath(_SCRIPT).read_bytes())

    @property
    def unit(self) -> Unit:
        """The unit that runs it at every boot; without the drive it does nothing."""
        return Unit(UNIT, _CONTENTS.format(program=PROGRAM, live_space=self.live_space))
