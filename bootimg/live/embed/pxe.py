"""The files for PXE that an ISO has, and an initramfs with an Ignition config for PXE."""

from __future__ import annotations

from pathlib import Path

from bootimg.atomic import whole_file
from bootimg.errors import BootimgError, ExitCode
from bootimg.live.embed.edit import require_absent
from bootimg.live.embed.initrd import IGNITION, encode
from bootimg.live.iso.image import IsoImage, Record
from bootimg.live.iso.liveiso import PXE
from bootimg.sizes import MIB


def wrap_ignition(config: bytes) -> bytes:
    """An initramfs with the config, which is given to the boot loader after the live initramfs."""
    return encode({IGNITION: config})


def extract_pxe(image: IsoImage, folder: Path, prefix: str) -> list[Path]:
    """Write kernel, initramfs and rootfs to `<folder>/<prefix>-<name>`.

    Raises `iso-not-coreos`, and `output-exists` before anything is written.
    """
    found = image.find(PXE)
    if found is None or not found.folder:
        raise BootimgError(
            "iso-not-coreos",
            f"the ISO is not a live ISO of CoreOS: it has no folder {PXE}",
            hint="give a live ISO of Fedora CoreOS, RHEL CoreOS or bootimg",
            exit_code=ExitCode.USAGE,
        )
    files = {folder / f"{prefix}-{_name(each)}": each for each in image.children(found) if not each.folder}
    require_absent(files)
    for path, record in files.items():
        copy_file(image, record, path)
    return list(files)


def _name(record: Record) -> str:
    return record.path.rpartition("/")[2].lower()


def copy_file(image: IsoImage, record: Record, path: Path) -> None:
    """Write a file of the ISO to a file, which appears whole or not at all."""
    with whole_file(path, need=record.length) as file:
        for done in range(0, record.length, MIB):
            file.write(image.read(record.offset + done, min(MIB, record.length - done)))
