"""A live ISO in the CD drive of a virtual machine; its areas are changed in an overlay, never in its file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from bootimg.arch import Arch
from bootimg.kernelarg import split
from bootimg.live.booting.arch import serial_console
from bootimg.live.embed.coreosiso import Change, CoreosIso
from bootimg.live.embed.edit import opened_iso
from bootimg.live.embed.ignition import embed_ignition
from bootimg.live.embed.initrd import IGNITION
from bootimg.live.embed.kargs import append_kargs
from bootimg.live.reading.isoparts import arch_of
from bootimg.untrusted.limits import DEFAULT, Limits
from bootimg.vm.diskimage import DiskImage, open_image
from bootimg.vm.imagetool import make_overlay, write_blocks
from bootimg.vm.machine import Machine


@dataclass(frozen=True, slots=True)
class BootableIso:
    """A live ISO of CoreOS.

    `config` is the Ignition config that is embedded in it.  `kargs` are added for the run.
    """

    path: Path
    arch: Arch
    config: bytes | None
    kargs: tuple[str, ...] = ()
    limits: Limits = DEFAULT

    @classmethod
    def read(cls, path: Path, arch: Arch, kargs: tuple[str, ...] = (), limits: Limits = DEFAULT) -> Self:
        """Look into an ISO, of `arch` if it does not say another one.

        Errors: `iso-not-coreos`, `iso-area-invalid`, and those of `IsoImage`.
        """
        with opened_iso(path, limits) as iso:
            found = arch_of(iso.image) or arch
            return cls(path, found, iso.files.get(IGNITION), kargs, limits)

    def put_into(self, machine: Machine, config: bytes, folder: Path) -> Machine:
        """The machine with the ISO: `iso-area-too-small`, and `iso-area-missing` for arguments."""
        with opened_iso(self.path, self.limits) as iso:
            changes = self._changes(iso, config)
        return replace(machine, cd=_overlay(self.path, changes, folder))

    def _changes(self, iso: CoreosIso, config: bytes) -> list[Change]:
        changes = [] if config == self.config else embed_ignition(iso, config, force=True)
        added = list(self.kargs)
        if iso.kargs_places is not None and not _has_console(iso.kargs, self.arch):
            added.insert(0, serial_console(self.arch))
        return [*changes, *append_kargs(iso, added)] if added else changes


def _has_console(kargs: str, arch: Arch) -> bool:
    """Whether the kernel uses the serial console, with whatever speed."""
    return any(word.partition(",")[0] == serial_console(arch) for word in split(kargs))


def _overlay(path: Path, changes: list[Change], folder: Path) -> DiskImage:
    image = open_image(path, "raw")
    if not changes:
        return image
    overlay = make_overlay(image, folder / "overlay.qcow2")
    write_blocks(overlay, [(each.offset, each.data) for each in changes], folder)
    return overlay
