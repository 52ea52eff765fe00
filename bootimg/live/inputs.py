"""What live media are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from bootimg.arch import Arch
from bootimg.disk.extents import Source
from bootimg.layer.tree.merged import Tree
from bootimg.live.fsoptions import RootfsOptions
from bootimg.live.iso.bootrow import boot_row
from bootimg.live.iso.descriptors import Volume
from bootimg.live.iso.syslinux import Syslinux
from bootimg.live.iso.volumeid import volume_id, volume_set_id
from bootimg.live.programs.program import Program
from bootimg.sysroot.commit import Commit
from bootimg.sysroot.entries import Entry
from bootimg.sysroot.system import System


@dataclass(frozen=True, slots=True)
class Metal:
    """A metal image that the live system can install offline: its file name, and what opens its disk."""

    name: str
    open: Callable[[], AbstractContextManager[Source]]


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveNames:
    """The names of the four files."""

    iso: str
    kernel: str
    initramfs: str
    rootfs: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveInputs:
    """A layer laid out, and what is not in its system.

    `tree` are the layer's files as they are in its archive.
    `other_builds` are the ids of other builds, whose ISOs must have other volume ids.  `description` is the
    layer's PRETTY_NAME, `identity` its digest, `epoch` the recipe's source epoch in seconds.  `esp` has the
    entries of the disk's EFI system partition, `efi_programs` what the layer brings for it, from EFI on.
    `arguments` are the kernel arguments of the disk's boot entry, `template` the files of `read_template`.
    `program` makes the root file system with the options `rootfs`.
    """

    arch: Arch
    osname: str
    build_id: str
    other_builds: Sequence[str]
    description: str
    identity: str
    epoch: int
    tree: Tree
    commit: Commit
    system: System
    esp: Sequence[Entry]
    efi_programs: Sequence[Entry]
    arguments: Sequence[str]
    rootfs: RootfsOptions
    program: Program
    metals: Sequence[Metal]
    template: Mapping[str, bytes]
    syslinux: Syslinux

    @property
    def volume(self) -> Volume:
        """The volume of the ISO; raises `volume-id-invalid`."""
        return Volume(
            id=volume_id(self.osname, self.build_id, self.other_builds),
            set_id=volume_set_id(self.osname, self.build_id),
            epoch=self.epoch,
            system=boot_row(self.arch).system,
        )
