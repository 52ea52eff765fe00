"""The empty disk that `bootimg run` gives live media to install to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from bootimg.arch import Arch
from bootimg.arches.row import Firmware
from bootimg.atomic import scratch_folder
from bootimg.cli.options.runtypes import TargetSize
from bootimg.cli.output.session import App
from bootimg.sizes import format_size
from bootimg.vm.drives import TARGET_SERIAL, TargetDisk
from bootimg.vm.imagetool import make_disk


def check_target(wanted: TargetSize | None, kept: Path | None) -> None:
    """Refuse what cannot work: a usage error, or `output-exists` for the file to keep."""
    if wanted is None and kept is not None:
        raise click.UsageError("--keep-target keeps the disk of --target-disk: give that too")
    if kept is not None:
        from bootimg.live.embed.edit import require_absent

        require_absent([kept])
        if not kept.parent.is_dir():
            raise click.UsageError(f"--keep-target: {kept.parent} is not a folder")


def check_sectors(wanted: TargetSize | None, arch: Arch, firmware: Firmware | None) -> None:
    """Refuse a disk that the firmware, the architecture's usual one by default, would not start."""
    used = firmware or arch.row.firmwares[0]
    if wanted is not None and wanted.sector_size != 512 and used is Firmware.BIOS:
        raise click.UsageError("a BIOS starts no disk with sectors of 4096 bytes: give --firmware uefi")


@contextmanager
def target_for(wanted: TargetSize | None, kept: Path | None, app: App) -> Iterator[TargetDisk | None]:
    """The disk to install to, if one is wanted: the new file to keep, or one that is removed at the end."""
    if wanted is None:
        yield None
        return
    with scratch_folder(app.cache.folder("tmp"), "run-") as scratch:
        image = make_disk(kept or scratch / "target.qcow2", wanted.size)
        size = f"{format_size(wanted.size)}, sectors of {wanted.sector_size} bytes"
        app.events.message(f"target disk   /dev/disk/by-id/virtio-{TARGET_SERIAL}   {size}")
        yield TargetDisk(image, wanted.sector_size)
    if kept is not None:
        app.events.message(f"kept {kept}")
