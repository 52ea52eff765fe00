"""How the live ISO of an architecture is started: the table of what differs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from bootimg.arch import Arch
from bootimg.live.iso.descriptors import SYSTEM
from bootimg.live.iso.eltorito import BootImage, BootPlatform

EFI_IMAGE = "images/efiboot.img"
ISOLINUX = "isolinux/isolinux.bin"
IGNITION_IMAGE = "images/ignition.img"
BOOT_SCRIPT = "ppc/bootinfo.txt"
CDBOOT_IMAGE = "images/cdboot.img"
_GRUB_CONFIG = re.compile(r"EFI/[^/]+/grub\.cfg")


@dataclass(frozen=True, slots=True, kw_only=True)
class BootRow:
    """An architecture's row.

    `images` are what is in the boot catalogue, whose path is `catalogue`; without them there is none.
    `boot_script` is what Open Firmware reads instead.  `system` is the volume's system id.  `syslinux` are
    the files for isolinux, by name.  `hybrid` says whether the ISO is a disk too.  `grub_config` is the path
    of GRUB's configuration where it is not that of the template, EFI/<vendor>/grub.cfg.  `dropped` are files
    and folders of the layer's template that the ISO does not get.  `parameter_files` are the files with the
    kernel arguments where there is no boot menu.  `ignition_area` is the file of zeros for the Ignition
    config; None where the area is inside the boot image.
    """

    catalogue: str = "boot.catalog"
    images: tuple[BootImage, ...]
    boot_script: str | None = None
    system: str = SYSTEM
    syslinux: tuple[str, ...] = ()
    hybrid: bool = False
    grub_config: str | None = None
    dropped: tuple[str, ...] = ()
    parameter_files: tuple[str, ...] = ()
    ignition_area: str | None = IGNITION_IMAGE

    def place(self, path: str) -> str | None:
        """Where the ISO has a file of the template; None if it does not have it."""
        if self.grub_config is not None and _GRUB_CONFIG.fullmatch(path):
            return self.grub_config
        dropped = any(path == each or path.startswith(f"{each}/") for each in self.dropped)
        return None if dropped else path

    def placed(self, template: Mapping[str, bytes]) -> Mapping[str, bytes]:
        """The files of the template that the ISO has, by the paths that it has them at."""
        return {place: data for path, data in template.items() if (place := self.place(path)) is not None}

    @property
    def has_efi_image(self) -> bool:
        """Whether the ISO has an EFI boot image."""
        return any(image.path == EFI_IMAGE for image in self.images)

    @property
    def has_cdboot_image(self) -> bool:
        """Whether the ISO has a boot image of kernel, kernel arguments and initramfs."""
        return any(image.path == CDBOOT_IMAGE for image in self.images)


_EFI = BootImage(path=EFI_IMAGE, platform=BootPlatform.EFI)

_ROWS: Mapping[Arch, BootRow] = {
    Arch.X86_64: BootRow(
        catalogue="isolinux/boot.cat",
        images=(BootImage(path=ISOLINUX, platform=BootPlatform.BIOS, blocks=4, info_table=True), _EFI),
        syslinux=("isolinux.bin", "ldlinux.c32", "libcom32.c32", "libutil.c32", "vesamenu.c32"),
        hybrid=True,
        dropped=("zipl.prm",),
    ),
    Arch.AARCH64: BootRow(
        catalogue="boot.catalog",
        images=(_EFI,),
        dropped=("zipl.prm", "isolinux"),
    ),
    Arch.PPC64LE: BootRow(
        images=(),
        boot_script=BOOT_SCRIPT,
        system="PPC",
        grub_config="boot/grub/grub.cfg",
        dropped=("zipl.prm", "isolinux", "EFI"),
    ),
    Arch.S390X: BootRow(
        # El Torito has no number for the firmware of s390x.
        images=(BootImage(path=CDBOOT_IMAGE, platform=BootPlatform.BIOS),),
        dropped=("isolinux", "EFI"),
        # That of cdboot.img, then those for a guest of z/VM and for a logical partition.
        parameter_files=("images/cdboot.prm", "images/generic.prm", "images/genericdvd.prm"),
        ignition_area=None,
    ),
}


def boot_row(arch: Arch) -> BootRow:
    """The row of an architecture."""
    return _ROWS[arch]
