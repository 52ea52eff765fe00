"""What an image file is, from its first bytes."""

from __future__ import annotations

from pathlib import Path

from bootimg.errors import BootimgError, ExitCode

ISO_SIGNATURE, ISO_SIGNATURE_AT = b"CD001", 0x8001
TAR_SIGNATURE, TAR_SIGNATURE_AT = b"ustar", 257
REFUSED = {
    b"\x1f\x8b": "gzip-compressed",
    b"\xfd7zXZ\x00": "xz-compressed",
    b"\x28\xb5\x2f\xfd": "zstd-compressed",
}
FORMATS = {b"QFI\xfb": "qcow2", b"KDMV": "vmdk", b"vhdxfile": "vhdx", b"conectix": "vpc"}


def image_format(path: Path) -> str:
    """QEMU's name for the format: qcow2, vmdk, vhdx, vpc, or raw for what has no other signature.

    `image-unreadable` where there is no such file, `image-format-unsupported` for compressed images,
    archives and ISOs.
    """
    try:
        with path.open("rb") as handle:
            head = handle.read(512)
            handle.seek(ISO_SIGNATURE_AT)
            iso = handle.read(len(ISO_SIGNATURE)) == ISO_SIGNATURE
    except OSError as error:
        raise unreadable(path, error) from None
    for signature, what in REFUSED.items():
        if head.startswith(signature):
            raise _unsupported(path, what, "uncompress it first")
    if head.startswith(TAR_SIGNATURE, TAR_SIGNATURE_AT):
        raise _unsupported(path, "a tar archive", "give the disk image in it")
    if iso:
        raise _unsupported(path, "an ISO image", "give a disk image")
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
