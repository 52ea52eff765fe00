"""Kernel arguments for one run: an overlay over the disk that has edited BLS entries."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bootimg.disk.bootpatch import BootEdits, make_patch
from bootimg.disk.extents import FileSource, Source
from bootimg.disk.view import BOOT, DiskView
from bootimg.disk.zipl.describe import SECURE
from bootimg.disk.zipl.read import has_zipl, read_zipl
from bootimg.disk.zipl.record import ZiplRecord
from bootimg.errors import BootimgError, ExitCode
from bootimg.kernelarg import split
from bootimg.untrusted.budget import Budget
from bootimg.vm.diskimage import DiskImage
from bootimg.vm.imagetool import make_overlay, write_blocks

# ostree's entry of the only deployment, and the argument that the record has beside it.
_ENTRY, _FIRSTBOOT = "1", "ignition.firstboot"


def overlay_with_kargs(
    disk: Path, disk_format: str, kargs: Sequence[str], folder: Path, budget: Budget | None = None
) -> DiskImage:
    """An overlay in `folder` that reads as `disk` with `kargs` appended to its BLS entries.

    zipl's record of the disk, if it has one, is made again.  The disk itself is only read.  Errors: those of
    `open_image`, `image-over-budget`, `gpt-damaged`, `boot-partition-missing`, `zipl-record-damaged`, those
    of `bootimg.disk.bootpatch` and `ZiplRecord`, and `kernel-arguments-encrypted`.
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
    if view.partition(SECURE) is not None:
        raise _encrypted(disk)
    with FileSource(view.path) as source:
        edits, record = BootEdits(kernel_arguments=tuple(kargs)), _record(source, view.gpt.sector_size, span)
        patch = make_patch(source, *span, edits, scratch=folder, record=record, budget=budget)
    overlay = make_overlay(view.image, folder / "overlay.qcow2")
    write_blocks(overlay, patch.blocks, folder)
    return overlay


def _encrypted(disk: Path) -> BootimgError:
    return BootimgError(
        "kernel-arguments-encrypted",
        f"the kernel arguments of {disk} are encrypted",
        note="it is a disk for Secure Execution: only the machine that it was made for can decrypt them",
        hint="leave --kargs out, or build the image again from a layer that has the arguments",
        exit_code=ExitCode.USAGE,
    )


def _record(source: Source, sector_size: int, span: tuple[int, int]) -> ZiplRecord | None:
    """zipl's record of the disk, to be made again with the arguments that are not those of the entry."""
    if not has_zipl(source):
        return None
    found = read_zipl(source, sector_size, *span)
    words = split(found.arguments.decode(errors="surrogateescape"))
    return ZiplRecord(
        stage3=found.stage3,
        sector_size=sector_size,
        entry=_ENTRY,
        arguments=[word for word in words if word == _FIRSTBOOT],
    )
