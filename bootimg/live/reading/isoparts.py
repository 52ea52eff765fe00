"""Which region of a live ISO is which file of the live system, and which architecture the ISO is for."""

from __future__ import annotations

from bootimg.arch import Arch
from bootimg.live.iso.bootrow import BootRow, boot_row
from bootimg.live.iso.image import IsoImage
from bootimg.live.iso.liveiso import KERNEL, OLD_S390X_KERNEL
from bootimg.live.iso.names import short_path
from bootimg.live.reading.region import Region


def part_of(image: IsoImage, path: str) -> Region | None:
    """The file of a path; None if there is no such file."""
    record = image.find(path)
    return None if record is None or record.folder else Region(image.source, record.offset, record.length)


def named_part(image: IsoImage, path: str) -> Region | None:
    """The file of a path in Rock Ridge's names, which may be longer than 8.3; None if it does not exist."""
    return part_of(image, short_path(path))


def kernel_of(image: IsoImage) -> Region | None:
    """The kernel, also by the name that it had on older ISOs; None if there is none."""
    return part_of(image, KERNEL) or part_of(image, OLD_S390X_KERNEL)


def arch_of(image: IsoImage) -> Arch | None:
    """The architecture by the files that start the ISO; None if they are those of none.

    A folder or a file is enough: the others may be missing because the ISO is damaged.
    """
    # The example ISO with cdboot.img that coreos-installer tests with has a file efiboot.img as well.
    arches = sorted(Arch, key=lambda arch: not boot_row(arch).has_cdboot_image)
    return next((arch for arch in arches if _starts(image, boot_row(arch))), None)


def _starts(image: IsoImage, row: BootRow) -> bool:
    own = row.images[0].path if row.images else row.grub_config
    if own is None:
        return False
    folder = own.rpartition("/")[0]
    return image.find(own if folder == "images" else folder) is not None
