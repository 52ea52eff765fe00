"""The architecture of a file that `bootimg run` boots, as the file itself or the build around it says it."""

from __future__ import annotations

from pathlib import Path

from bootimg.arch import Arch
from bootimg.atomic import scratch_folder
from bootimg.builds.find import Build, find_build
from bootimg.builds.layout import META
from bootimg.checks.layouts import arch_of_root
from bootimg.disk.view import DiskView
from bootimg.errors import BootimgError
from bootimg.vm.image import image_format

# What has no partition table may still boot, and QEMU itself is asked for later.
_UNKNOWN = ("gpt-damaged", "qemu-img-missing", "qemu-img-too-old")


def arch_of_file(given: Path, disk: Path, folder: Path) -> Arch:
    """The architecture of a disk image: its build's, else that of its root partition, else this machine's.

    `disk` is `given`, uncompressed.  Errors: those of `open_image` and of a build's meta.json.
    """
    return arch_beside(given) or _arch_of_disk(disk, folder) or Arch.of_machine()


def arch_beside(path: Path) -> Arch | None:
    """The architecture of the build whose folder a file lies in; None if it lies in none."""
    build = build_beside(path)
    return build.arch if build else None


def build_beside(path: Path) -> Build | None:
    """The build whose folder a file lies in; None if it lies in none."""
    meta = path.absolute().with_name(META)
    return find_build(Path(), str(meta)) if meta.is_file() else None


def _arch_of_disk(disk: Path, folder: Path) -> Arch | None:
    """By the type of the root partition, which the Discoverable Partitions Specification has for each."""
    with scratch_folder(folder, "arch-") as scratch:
        try:
            view = DiskView(disk, image_format(disk), scratch)
        except BootimgError as error:
            if error.id in _UNKNOWN:
                return None
            raise
    return arch_of_root(str(each.type_guid) for each in view.gpt.partitions)
