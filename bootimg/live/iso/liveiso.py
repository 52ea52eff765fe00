"""The live ISO: all its files, in the order in which they are written, and how it is started."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bootimg.arch import Arch
from bootimg.live.iso.bootrow import EFI_IMAGE, BootRow, boot_row
from bootimg.live.iso.descriptors import Volume
from bootimg.live.iso.infofiles import (
    FEATURES,
    IGNINFO,
    IGNITION_SIZE,
    KARGS,
    MINISO,
    MINISO_SIZE,
    check_kargs_info,
    igninfo,
)
from bootimg.live.iso.isohybrid import Hybrid
from bootimg.live.iso.layout import Boot, IsoLayout, lay_out
from bootimg.live.iso.syslinux import BOOT_CODE
from bootimg.live.iso.tree import IsoFile
from bootimg.sysroot.entries import Content

PXE = "images/pxeboot"
KERNEL, INITRD, ROOTFS = f"{PXE}/vmlinuz", f"{PXE}/initrd.img", f"{PXE}/rootfs.img"
OLD_S390X_KERNEL = f"{PXE}/kernel.img"
"""What the kernel's name was on ISOs of s390x until 2025."""


@dataclass(frozen=True, slots=True)
class Part:
    """Content of a file of the ISO and its size in bytes."""

    content: Content
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveIso:
    """What a live ISO is made of.

    `template` are the files of the layer's template by path, with the kernel arguments in them, and
    `kargs_info` is the content of kargs.json for them.  `features` is the content of features.json, which the
    initramfs has too.  `efi_image` is the EFI boot image, `syslinux` are the files of `find_syslinux`, and
    `boot_files` what other firmware starts the ISO with.
    """

    arch: Arch
    volume: Volume
    template: Mapping[str, bytes]
    kargs_info: bytes
    features: bytes
    kernel: Part
    initrd: Part
    rootfs: Part
    efi_image: bytes
    syslinux: Mapping[str, bytes]
    boot_files: Sequence[IsoFile] = ()

    def layout(self) -> IsoLayout:
        """The ISO, with zeros in miniso.dat; raises `lay_out`'s errors."""
        return lay_out([*self._files(), *self._only_full()], self.volume, self._boot())

    def minimal_layout(self) -> IsoLayout:
        """The minimal ISO: without the rootfs and miniso.dat, and with all other files in their places."""
        return lay_out(self._files(), self.volume, self._boot())

    def _files(self) -> list[IsoFile]:
        row = self._row
        files = [
            IsoFile.of(f"isolinux/{name}", self.syslinux[name], executable=True) for name in row.syslinux
        ]
        if row.has_efi_image:
            files.append(IsoFile.of(EFI_IMAGE, self.efi_image))
        files += self.boot_files
        files += [
            IsoFile.of(place, data)
            for path, data in sorted(self.template.items())
            if (place := row.place(path)) is not None
        ]
        check_kargs_info(self.kargs_info)
        files += [IsoFile.of(FEATURES, self.features), IsoFile.of(KARGS, self.kargs_info)]
        if (area := row.ignition_area) is not None:
            files += [IsoFile.of(IGNINFO, igninfo(area)), IsoFile.of(area, bytes(IGNITION_SIZE))]
        return [*files, _file(KERNEL, self.kernel), _file(INITRD, self.initrd)]

    def _only_full(self) -> list[IsoFile]:
        return [IsoFile.of(MINISO, bytes(MINISO_SIZE)), _file(ROOTFS, self.rootfs)]

    def _boot(self) -> Boot | None:
        row = self._row
        if not row.images:
            return None
        hybrid = None
        if row.hybrid:
            bios, efi = (image.path for image in row.images)
            hybrid = Hybrid(boot_code=self.syslinux[BOOT_CODE], bios=bios, efi=efi)
        return Boot(catalogue=row.catalogue, images=row.images, hybrid=hybrid)

    @property
    def _row(self) -> BootRow:
        return boot_row(self.arch)


def _file(path: str, part: Part) -> IsoFile:
    return IsoFile(path=path, size=part.size, content=part.content)
