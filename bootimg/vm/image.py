"""Opening a disk image: what it is, that it is alone, and how QEMU is told so.

Nothing else opens an image.  QEMU's programs are given node definitions (`DiskImage.node`): they name one
file, every driver, and no backing file, so that QEMU does not follow what the image names.  They cannot forbid
the extents of a VMDK or the data file of a qcow2: those are refused here, from the bytes, before a program runs.
The file must not change between this look and the program's: whoever may write to it is trusted that long.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from bootimg.errors import BootimgError, ExitCode
from bootimg.vm.references import (
    QCOW2_MAGIC,
    VHD_COOKIE,
    DamagedImageError,
    EncryptedImageError,
    Reference,
    qcow2_references,
    raw_references,
    vhd_references,
)
from bootimg.vm.vhdxreferences import vhdx_references
from bootimg.vm.vmdkreferences import SPARSE_MAGIC, is_text_descriptor, vmdk_references

ISO_SIGNATURE, ISO_SIGNATURE_AT = b"CD001", 0x8001
TAR_SIGNATURE, TAR_SIGNATURE_AT = b"ustar", 257
REFUSED = {
    b"\x1f\x8b": "gzip-compressed",
    b"\xfd7zXZ\x00": "xz-compressed",
    b"\x28\xb5\x2f\xfd": "zstd-compressed",
}
_OTHERS = {
    b"LUKS\xba\xbe": ("encrypted with LUKS", "decrypt it first"),
    b"QED\0": ("a QED image", "convert it with `qemu-img convert -f qed -O qcow2`"),
    b"COWD": ("a VMDK of an old kind", "convert it with `qemu-img convert -f vmdk -O qcow2`"),
}
FORMATS = {QCOW2_MAGIC: "qcow2", SPARSE_MAGIC: "vmdk", b"vhdxfile": "vhdx", VHD_COOKIE: "vpc"}
_REFERENCES: Mapping[str, Callable[[BinaryIO], Iterator[Reference]]] = {
    "qcow2": qcow2_references,
    "vmdk": vmdk_references,
    "vhdx": vhdx_references,
    "vpc": vhd_references,
}
_WITH_BACKING = ("qcow2", "vmdk")
_HEAD = 2048

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class DiskImage:
    """An image that was looked at; only `open_image` and `layered` make one.

    `format` is QEMU's name.  `base` is the image under an overlay of our own.
    """

    path: Path
    format: str
    base: DiskImage | None = None

    def node(self) -> Json:
        """The definition of a block node (QEMU's `BlockdevOptions`), which nothing can lead elsewhere."""
        # QEMU's `file` takes regular files only.
        driver = "host_device" if self.path.is_block_device() else "file"
        node: Json = {
            "driver": self.format,
            "file": {"driver": driver, "filename": str(self.path.absolute())},
        }
        if self.format in _WITH_BACKING:
            node["backing"] = self.base.node() if self.base else None
        return node


def open_image(path: Path, disk_format: str | None = None) -> DiskImage:
    """A disk image that names no other file; without `disk_format` (QEMU's name) its bytes say what it is.

    Errors: `image-references-other-file`, and those of `image_format`.
    """
    disk_format = disk_format or image_format(path)
    _refuse_references(path, disk_format)
    return DiskImage(path, disk_format)


def layered(overlay: Path, base: DiskImage) -> DiskImage:
    """A qcow2 that bootimg has made itself, on top of an image: the one lawful chain."""
    return DiskImage(overlay, "qcow2", base)


def source_name(node: Json) -> str:
    """A node's definition in the place of a file's name, for QEMU's programs."""
    return "json:" + json.dumps(node)


def refuse_references(path: Path) -> None:
    """`image-references-other-file` if a file is an image that names another file; archives are none."""
    _refuse_references(path, _signature(_head(path)))


def _refuse_references(path: Path, disk_format: str) -> None:
    find = _REFERENCES.get(disk_format, raw_references)
    try:
        with path.open("rb") as handle:
            found = list(find(handle))
    except OSError as error:
        raise unreadable(path, error) from None
    except DamagedImageError as error:
        message = f"{path} cannot be read as {disk_format}: {error}"
        raise BootimgError("image-unreadable", message, exit_code=ExitCode.USAGE) from None
    except EncryptedImageError:
        raise _unsupported(path, f"an encrypted {disk_format}", "decrypt it first") from None
    if found:
        raise BootimgError(
            "image-references-other-file",
            f"{path} ({disk_format}) names another file: {found[0]}",
            context=[str(each) for each in found],
            note="whoever made the image could show its guest, or let it change, any file of yours",
            hint="if you trust the image, make one file of it: `qemu-img convert -O qcow2 FILE whole.qcow2`",
            exit_code=ExitCode.USAGE,
        )


def image_format(path: Path) -> str:
    """QEMU's name for the format: qcow2, vmdk, vhdx, vpc, or raw for what has no other signature.

    `image-unreadable` where there is no such file, `image-format-unsupported` for compressed images,
    archives, ISOs and what is encrypted.  The image is not opened: `open_image` does that.
    """
    head, iso = _head(path), _head(path, ISO_SIGNATURE_AT).startswith(ISO_SIGNATURE)
    for signature, what in REFUSED.items():
        if head.startswith(signature):
            raise _unsupported(path, what, "uncompress it first")
    if head.startswith(TAR_SIGNATURE, TAR_SIGNATURE_AT):
        raise _unsupported(path, "a tar archive", "give the disk image in it")
    if iso:
        raise _unsupported(path, "an ISO image", "give a disk image")
    for signature, (what, hint) in _OTHERS.items():
        if head.startswith(signature):
            raise _unsupported(path, what, hint)
    return _signature(head)


def _head(path: Path, offset: int = 0) -> bytes:
    try:
        with path.open("rb") as handle:
            handle.seek(offset)
            return handle.read(_HEAD)
    except OSError as error:
        raise unreadable(path, error) from None


def _signature(head: bytes) -> str:
    if is_text_descriptor(head):
        return "vmdk"
    return next((name for signature, name in FORMATS.items() if head.startswith(signature)), "raw")


def is_archive(path: Path) -> bool:
    """Whether a file is a tar archive, not compressed; `image-unreadable` where it cannot be read."""
    try:
        with path.open("rb") as handle:
            handle.seek(TAR_SIGNATURE_AT)
            return handle.read(len(TAR_SIGNATURE)) == TAR_SIGNATURE
    except OSError as error:
        raise unreadable(path, error) from None


def unreadable(path: Path, error: OSError) -> BootimgError:
    """The error for an image that cannot be read."""
    return BootimgError(
        "image-unreadable", f"{path} cannot be read: {error.strerror}", exit_code=ExitCode.USAGE
    )


def _unsupported(path: Path, what: str, hint: str) -> BootimgError:
    return BootimgError(
        "image-format-unsupported",
        f"{path} is {what}, and no disk image",
        hint=hint,
        exit_code=ExitCode.USAGE,
    )
