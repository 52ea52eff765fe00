"""Kernel arguments for one run: an overlay over the disk, in which the BLS entries are edited."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bootimg import process
from bootimg.disk.bootpatch import BootEdits, Patch, make_patch
from bootimg.disk.extents import FileSource
from bootimg.disk.view import BOOT, DiskView
from bootimg.errors import BootimgError, ExitCode
from bootimg.vm.qemu import IMG_PACKAGES, require_qemu_img


def overlay_with_kargs(disk: Path, disk_format: str, kargs: Sequence[str], folder: Path) -> Path:
    """A qcow2 in `folder` that reads as `disk` with `kargs` appended to its BLS entries.

    The disk itself is only read.  Errors: `gpt-damaged`, `boot-partition-missing` and those of
    `bootimg.disk.bootpatch`.
    """
    view = DiskView(disk, disk_format, folder)
    span = view.boot()
    if span is None:
        raise BootimgError(
            "boot-partition-missing",
            f"{disk} has no partition called {BOOT}",
            note="kernel arguments are set in the boot loader entries there",
            exit_code=ExitCode.USAGE,
        )
    with FileSource(view.path) as source:
        patch = make_patch(source, *span, BootEdits(kernel_arguments=tuple(kargs)), scratch=folder)
    overlay = folder / "overlay.qcow2"
    backing = ["-b", str(disk.absolute()), "-F", disk_format]
    process.run([require_qemu_img().path, "create", "-q", "-f", "qcow2", *backing, overlay])
    _write(overlay, patch, folder)
    return overlay


def _write(overlay: Path, patch: Patch, folder: Path) -> None:
    qemu_io = process.require("qemu-io", packages=f"{IMG_PACKAGES.apt} or {IMG_PACKAGES.dnf}")
    commands: list[str] = []
    for number, (offset, data) in enumerate(patch.blocks):
        block = folder / f"block-{number}"
        block.write_bytes(data)
        # A name alone: qemu-io splits its commands at blanks.
        commands += ["-c", f"write -q -s {block.name} {offset} {len(data)}"]
    if commands:
        process.run([qemu_io, "-f", "qcow2", *commands, overlay.absolute()], cwd=folder, timeout=600)
