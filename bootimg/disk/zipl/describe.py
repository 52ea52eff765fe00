"""What zipl's records lead to, beside what the boot loader entry names: for people and for checks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bootimg.disk.ext4edit import Ext4Image
from bootimg.disk.extents import Source
from bootimg.disk.zipl.entry import FILE_LIMIT
from bootimg.disk.zipl.read import Piece, read_zipl
from bootimg.errors import BootimgError
from bootimg.kernelarg import split

Json = dict[str, Any]
SECURE, SDBOOT = "se", "/sdboot"
"""The partition with the image for Secure Execution, and the image in it."""
_SIGNED = b"~Module signature appended~\n"


def describe_zipl(
    source: Source, sector_size: int, span: tuple[int, int], image: Ext4Image, entry: Mapping[str, Any]
) -> Json:
    """The records of a disk that has some, as a document.

    `span` is the boot partition's offset and length in bytes, `image` a copy of it, `entry` its boot loader
    entry as `bls_entry` describes it.  `kernel` and `initramfs` say whether the records lead to the whole
    content of the entry's files.  If the records cannot be read, `problem` is the error.  `secure` is false.
    """
    try:
        found = read_zipl(source, sector_size, *span)
    except BootimgError as error:
        return _problem(error, secure=False)
    kernel, initramfs = entry.get("linux") or "", (entry.get("initrd") or [""])[0]
    return {
        "arguments": split(found.arguments.decode(errors="replace")),
        "kernel": _is_file(image, kernel, source, found.kernel, found.kernel_size),
        "initramfs": _is_file(image, initramfs, source, found.initramfs, found.initramfs_size),
        "secure": False,
        "problem": None,
    }


def describe_secure(source: Source, sector_size: int, span: tuple[int, int], image: Ext4Image) -> Json:
    """The records of a disk for Secure Execution, with the same keys; `secure` is true.

    `span` is the offset and length in bytes of the partition SECURE, `image` a copy of it.  `kernel` says
    whether the records lead to the encrypted image and to nothing else; `initramfs` is true then.
    """
    try:
        found = read_zipl(source, sector_size, *span)
    except BootimgError as error:
        return _problem(error, secure=True)
    right = _is_file(image, SDBOOT, source, found.kernel, found.kernel_size)
    right = right and not found.initramfs and not found.arguments
    return {"arguments": [], "kernel": right, "initramfs": right, "secure": True, "problem": None}


def _problem(error: BootimgError, *, secure: bool) -> Json:
    return {
        "arguments": [],
        "kernel": False,
        "initramfs": False,
        "secure": secure,
        "problem": error.as_dict(),
    }


def _is_file(image: Ext4Image, name: str, source: Source, pieces: tuple[Piece, ...], size: int) -> bool:
    path = f"/{name.lstrip('/')}"
    content = image.read([path], FILE_LIMIT)[path].content
    if content is None or len(content) != size:
        return False
    at = 0
    for piece in pieces:
        wanted = content[at : at + piece.length]
        if source.read(piece.offset, len(wanted)) != wanted:
            return False
        at += piece.length
    # The signature at the end of a file need not be loaded.
    return at >= size or content.endswith(_SIGNED)
