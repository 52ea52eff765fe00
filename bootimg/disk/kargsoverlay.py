"""Kernel arguments for one run: an overlay over the disk that has edited BLS entries."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bootimg.disk.bootpatch import BootEdits, make_patch
from bootimg.disk.extents import FileSource
from bootimg.disk.view import BOOT, DiskView
from bootimg.errors import BootimgError, ExitCode
from bootimg.vm.diskimage import DiskImage
from bootimg.vm.imagetool import make_overlay, write_blocks


def overlay_with_kargs(disk: Path, disk_format: str, kargs: Sequence[str], folder: Path) -> DiskImage:
    """An overlay in `folder` that reads as `disk` with `kargs` appended to its BLS entries.

    The disk itself is only read.  Errors: those of `open_image`, `gpt-damaged`, `boot-partition-missing`
    and those of `bootimg.disk.bootpatch`.
    """
    view = DiskView(disk, disk_format, folder)
    span = view.boot()
    if span is None:
        raise BootimgError(
            "boot-partition-missing",
            f"{disk} has no partition named {BOOT}",
            note="kernel arguments are set in the boot loader entries on it",
            exit_code=ExitCode.USAGE,
        )
    with FileSource(view.path) as source:
        patch = make_patch(source, *span, BootEdits(kernel_arguments=tuple(kargs)), scratch=folder)
    overlay = make_overlay(view.image, folder / "overlay.qcow2")
    write_blocks(overlay, patch.blocks, folder)
    return overlay
