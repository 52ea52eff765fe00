"""Opening a disk image: its format, the check that it refers to no other file, its definition for QEMU.

Only this module opens images.  QEMU's programs get node definitions (`DiskImage.node`).  These name one file,
every driver, and no backing file, so that QEMU does not open files that the image names.  They cannot forbid
the extents of a VMDK or the data file of a qcow2, so this module refuses those before a program runs.  The
file must not change between this check and the program's start; users who may write to it are trusted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from bootimg.errors import BootimgError, ExitCode
from bootimg.untrusted.files import open_regular
from bootimg.vm.image import damaged, first_bytes, image_format, signature_format, unreadable, unsupported
from bootimg.vm.references import (
    DamagedImageError,
    EncryptedImageError,
    Reference,
    qcow2_references,
    raw_references,
    vhd_references,
)
from bootimg.vm.vhdxreferences import vhdx_references
from bootimg.vm.vmdkreferences import vmdk_references

Json = dict[str, Any]

_REFERENCES: Mapping[str, Callable[[BinaryIO], Iterator[Reference]]] = {
    "raw": raw_references,
    "qcow2": qcow2_references,
    "vmdk": vmdk_references,
    "vhdx": vhdx_references,
    "vpc": vhd_references,
}
_WITH_BACKING = ("qcow2", "vmdk")
_SHOWN = 8


@dataclass(frozen=True, slots=True)
class DiskImage:
    """A checked image; only `open_image` and `layered` make one.

    `format` is QEMU's name.  `base` is the image under an overlay that bootimg made.
    """

    path: Path
    format: str
    base: DiskImage | None = None

    def node(self) -> Json:
        """The definition of a block node (QEMU's `BlockdevOptions`); the image cannot add files to it."""
        # QEMU's driver `file` accepts only regular files.
        driver = "host_device" if self.path.is_block_device() else "file"
        node: Json = {
            "driver": self.format,
            "file": {"driver": driver, "filename": str(self.path.absolute())},
        }
        if self.format in _WITH_BACKING:
            node["backing"] = self.base.node() if self.base else None
        return node


def open_image(path: Path, disk_format: str | None = None) -> DiskImage:
    """A disk image that names no other file; without `disk_format` (QEMU's name) the format is detected.

    Errors: `image-references-other-file`, and those of `image_format`.
    """
    disk_format = disk_format or image_format(path)
    _refuse_references(path, disk_format)
    try:
        str(path.absolute()).encode()
    except UnicodeEncodeError:
        raise damaged(path, "has a name that is not UTF-8, as QEMU needs it", "rename it") from None
    return DiskImage(path, disk_format)


def layered(overlay: Path, base: DiskImage) -> DiskImage:
    """A qcow2 that bootimg itself made, on top of an image.  No other chain of images is allowed."""
    return DiskImage(overlay, "qcow2", base)


def source_name(node: Json) -> str:
    """A node's definition as a file name for QEMU's programs."""
    return "json:" + json.dumps(node)


def refuse_references(path: Path) -> None:
    """Raise `image-references-other-file` if a file is an image that names another file; archives are not."""
    _refuse_references(path, signature_format(first_bytes(path)))


def _refuse_references(path: Path, disk_format: str) -> None:
    try:
        with open_regular(path, block_device=True) as handle:
            found = list(_REFERENCES[disk_format](handle))
    except OSError as error:
        raise unreadable(path, error) from None
    except DamagedImageError as error:
        why = f"cannot be read as {disk_format}: {error}"
        raise damaged(path, why, "get the image again") from None
    except EncryptedImageError:
        raise unsupported(path, f"an encrypted {disk_format}", "decrypt it first") from None
    if found:
        raise BootimgError(
            "image-references-other-file",
            f"{path} ({disk_format}) names another file: {found[0]}",
            context=[str(each) for each in found[:_SHOWN]],
            note="the maker of the image could let its guest read or change any of your files",
            hint="if you trust the image, make one file of it: `qemu-img convert -O qcow2 FILE whole.qcow2`",
            exit_code=ExitCode.USAGE,
        )
