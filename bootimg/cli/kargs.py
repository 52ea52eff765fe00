"""Kernel arguments for one run: an overlay over the disk, in which the BLS entries are edited."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from bootimg import process
from bootimg.disk.bootpatch import BootEdits, Patch, make_patch
from bootimg.disk.extents import FileSource
from bootimg.disk.gpt import Gpt, read_gpt
from bootimg.errors import BootimgError, ExitCode
from bootimg.sizes import MIB
from bootimg.vm.qemu import IMG_PACKAGES, require_qemu_img

BOOT = "boot"


def overlay_with_kargs(disk: Path, disk_format: str, kargs: Sequence[str], folder: Path) -> Path:
    """A qcow2 in `folder` that reads as `disk` with `kargs` appended to its BLS entries.

    The disk itself is only read.  Errors: `gpt-damaged`, `boot-partition-missing` and those of
    `bootimg.disk.bootpatch`.
    """
    qemu_img = require_qemu_img().path
    with FileSource(_boot_view(qemu_img, disk, disk_format, folder)) as view:
        start, length = _boot_span(disk, read_gpt(view, backup=False))
        patch = make_patch(view, start, length, BootEdits(kernel_arguments=tuple(kargs)), scratch=folder)
    overlay = folder / "overlay.qcow2"
    backing = ["-b", str(disk.absolute()), "-F", disk_format]
    process.run([qemu_img, "create", "-q", "-f", "qcow2", *backing, overlay])
    _write(overlay, patch, folder)
    return overlay


def _boot_span(disk: Path, gpt: Gpt) -> tuple[int, int]:
    for partition in gpt.partitions:
        if partition.name == BOOT:
            return gpt.span(partition.number)
    raise BootimgError(
        "boot-partition-missing",
        f"{disk} has no partition called {BOOT}",
        note="kernel arguments are set in the boot loader entries there",
        exit_code=ExitCode.USAGE,
    )


def _boot_view(qemu_img: Path, disk: Path, disk_format: str, folder: Path) -> Path:
    """A sparse raw file with the partition table and the boot partition at their places."""
    described = process.run([qemu_img, "info", "--output=json", "-f", disk_format, str(disk.absolute())])
    size = int(json.loads(described.stdout)["virtual-size"])
    view = folder / "view.raw"
    with view.open("wb") as handle:
        handle.truncate(size)
    _copy(qemu_img, disk, disk_format, view, 0, MIB)
    with FileSource(view) as source:
        start, length = _boot_span(disk, read_gpt(source, backup=False))
    _copy(qemu_img, disk, disk_format, view, start, length)
    return view


def _copy(qemu_img: Path, disk: Path, disk_format: str, view: Path, offset: int, length: int) -> None:
    def options(driver: str, path: Path) -> str:
        name = str(path.absolute()).replace(",", ",,")
        window = f"driver=raw,offset={offset},size={length}"
        return f"{window},file.driver={driver},file.file.driver=file,file.file.filename={name}"

    words = ["convert", "-n", "--image-opts", "--target-image-opts"]
    process.run([qemu_img, *words, options(disk_format, disk), options("raw", view)], timeout=600)


def _write(overlay: Path, patch: Patch, folder: Path) -> None:
    qemu_io = process.require("qemu-io", packages=f"{IMG_PACKAGES.apt} or {IMG_PACKAGES.dnf}")
    commands: list[str] = []
    for number, (offset, data) in enumerate(patch.blocks):
        block = folder / f"block-{number}"
        block.write_bytes(data)
        commands += ["-c", f"write -q -s {block} {offset} {len(data)}"]
    if commands:
        process.run([qemu_io, "-f", "qcow2", *commands, overlay], timeout=600)
