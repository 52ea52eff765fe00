"""The drives of a virtual machine as QEMU's options.

The firmware tries a disk first and a CD after it, so that an empty disk is passed over and an installed one
starts.  A firmware that does not pass over an empty disk is given the CD first.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bootimg.vm.diskimage import DiskImage, source_name

TARGET_SERIAL = "target"
"""The serial number of a target disk; udev's name of it is /dev/disk/by-id/virtio-target."""
_DISK_FIRST, _CD_SECOND, _DISK_THIRD = 1, 2, 3


@dataclass(frozen=True, slots=True)
class TargetDisk:
    """A disk to install to: an image that the guest writes, and the size of its sectors in bytes."""

    image: DiskImage
    sector_size: int = 512


@dataclass(frozen=True, slots=True)
class DataDrive:
    """A file that the guest sees as a read-only drive; udev's name of it is /dev/disk/by-id/virtio-SERIAL.

    A `serial` has at most 20 bytes.
    """

    path: Path
    serial: str


def disk_options(image: DiskImage, bus: str, *, write: bool) -> list[str]:
    """A disk to boot."""
    if write:
        words = ["-blockdev", json.dumps({"node-name": "disk", **image.node()})]
    else:
        # QEMU's own temporary overlay has no name any more, so nothing is left when QEMU is killed.
        name = source_name(image.node()).replace(",", ",,")
        words = ["-drive", f"if=none,id=disk,snapshot=on,file={name}"]
    return [*words, "-device", f"virtio-blk-{bus},drive=disk,bootindex={_DISK_FIRST}"]


def target_options(target: TargetDisk, bus: str, *, after_cd: bool) -> list[str]:
    """A disk to install to, which the firmware tries before or after a CD."""
    node = {"node-name": "target", **target.image.node()}
    sectors = f"logical_block_size={target.sector_size},physical_block_size={target.sector_size}"
    index = _DISK_THIRD if after_cd else _DISK_FIRST
    device = f"virtio-blk-{bus},drive=target,serial={TARGET_SERIAL},{sectors},bootindex={index}"
    return ["-blockdev", json.dumps(node), "-device", device]


def cd_options(image: DiskImage, devices: Sequence[str]) -> list[str]:
    """A CD in a drive, which is the last of the devices; those before it are its controllers."""
    *controllers, drive = devices
    words = [word for each in controllers for word in ("-device", each)]
    node = {"node-name": "cd", "read-only": True, **image.node()}
    return [*words, "-blockdev", json.dumps(node), "-device", f"{drive},drive=cd,bootindex={_CD_SECOND}"]


def data_options(drive: DataDrive, bus: str) -> list[str]:
    """A drive with data, which no firmware boots."""
    file = {"driver": "file", "filename": str(drive.path.absolute())}
    node = {"node-name": "data", "read-only": True, "driver": "raw", "file": file}
    device = f"virtio-blk-{bus},drive=data,serial={drive.serial}"
    return ["-blockdev", json.dumps(node), "-device", device]
