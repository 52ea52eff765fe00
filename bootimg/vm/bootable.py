"""What a session can boot, and how it gets the Ignition config of the run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from bootimg.vm.diskimage import DiskImage
from bootimg.vm.machine import Machine


class Bootable(Protocol):
    """A disk image or live media."""

    @property
    def config(self) -> bytes | None:
        """The Ignition config that it runs if the run has none; None for nothing."""

    def put_into(self, machine: Machine, config: bytes, folder: Path) -> Machine:
        """The machine with it, set to run the config; files of the run are made in `folder`."""


@dataclass(frozen=True, slots=True)
class BootableDisk:
    """A disk image, which Ignition's qemu platform gives the config at the first boot.

    Without `write` the image stays as it is.
    """

    image: DiskImage
    write: bool = False
    config: bytes | None = None

    def put_into(self, machine: Machine, config: bytes, folder: Path) -> Machine:
        """The machine with the disk, and the config where the platform reads it."""
        ignition = folder / "config.ign"
        ignition.write_bytes(config)
        ignition.chmod(0o600)
        return replace(machine, disk=self.image, write=self.write, ignition=ignition)
