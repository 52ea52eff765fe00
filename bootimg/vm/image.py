"""The format of an image file, from its first bytes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bootimg.errors import BootimgError, ExitCode
from bootimg.untrusted.files import open_regular
from bootimg.vm.references import QCOW2_MAGIC, VHD_COOKIE
from bootimg.vm.vmdkreferences import SPARSE_MAGIC, is_text_descriptor

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
_HEAD = 2048


def image_format(path: Path) -> str:
    """QEMU's name for the format: qcow2, vmdk, vhdx, vpc, or raw if there is no other signature.

    `image-unreadable` if the file cannot be read, `image-format-unsupported` for compressed or encrypted
    images, archives and ISOs.
    """
    head = first_bytes(path)
    for signature, what in REFUSED.items():
        if head.startswith(signature):
            raise unsupported(path, what, "uncompress it first")
    if head.startswith(TAR_SIGNATURE, TAR_SIGNATURE_AT):
        raise unsupported(path, "a tar archive", "give the disk image in it")
    if is_iso(path):
        raise unsupported(path, "an ISO image", "give a disk image")
    for signature, (what, hint) in _OTHERS.items():
        if head.startswith(signature):
            raise unsupported(path, what, hint)
    return signature_format(head)


def first_bytes(path: Path, offset: int = 0) -> bytes:
    """The first bytes of a file, or those at an offset; `image-unreadable` if that fails."""
    try:
        with open_regular(path, block_device=True) as handle:
            handle.seek(offset)
            return handle.read(_HEAD)
    except OSError as error:
        raise unreadable(path, error) from None


def signature_format(head: bytes) -> str:
    """The format by a file's first bytes; raw if they have no signature of an image, as in archives."""
    if is_text_descriptor(head):
        return "vmdk"
    return next((name for signature, name in FORMATS.items() if head.startswith(signature)), "raw")


def is_iso(path: Path) -> bool:
    """Whether a file is an uncompressed ISO 9660 image; `image-unreadable` if it cannot be read."""
    return first_bytes(path, ISO_SIGNATURE_AT).startswith(ISO_SIGNATURE)


def is_archive(path: Path) -> bool:
    """Whether a file is an uncompressed tar archive; `image-unreadable` if it cannot be read."""
    try:
        with open_regular(path, block_device=True) as handle:
            handle.seek(TAR_SIGNATURE_AT)
            return handle.read(len(TAR_SIGNATURE)) == TAR_SIGNATURE
    except OSError as error:
        raise unreadable(path, error) from None


def unreadable(path: Path, error: OSError) -> BootimgError:
    """The error for an image that cannot be read."""
    return damaged(path, f"cannot be read: {error.strerror}", "check the path and its permissions")


def damaged(path: Path, why: str, hint: str, output: Sequence[str] = ()) -> BootimgError:
    """The error for a file that is not an image of its format; `output` is what a program printed."""
    return BootimgError(
        "image-unreadable", f"{path} {why}", context=output, hint=hint, exit_code=ExitCode.USAGE
    )


def unsupported(path: Path, what: str, hint: str) -> BootimgError:
    """The error for a file that is not a disk image."""
    return BootimgError(
        "image-format-unsupported",
        f"{path} is {what}, not a disk image",
        hint=hint,
        exit_code=ExitCode.USAGE,
    )
