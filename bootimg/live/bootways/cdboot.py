"""images/cdboot.img of s390x: kernel, kernel arguments and initramfs, as they are in memory from address 0.

There is no boot loader: the firmware loads this one file and starts it.  It loads no second initramfs either,
so the area for the Ignition config is the end of the first one.
Source: mk-s390image of s390-tools, and the live stage of osbuild.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path

from bootimg.atomic import require_space
from bootimg.disk.zipl.kernelimage import ARGUMENTS_AT, INITRAMFS_AT, arguments_room, is_kernel
from bootimg.errors import BootimgError, ExitCode
from bootimg.layer.tar.entry import Kind
from bootimg.layer.tree.merged import Tree
from bootimg.live import cpio
from bootimg.live.iso.bootrow import CDBOOT_IMAGE
from bootimg.live.iso.infofiles import IGNINFO, IGNITION_SIZE, igninfo
from bootimg.live.iso.tree import IsoFile
from bootimg.sizes import MIB, align_up
from bootimg.sysroot.entries import HostFile

KARGS_SIZE, KARGS_FILL = 896, "\0"
"""Bytes of the area for kernel arguments in it, as in coreos-assembler's, and what ends and fills it.

Kernels of today take longer ones.
"""
LARGEST_KERNEL = 32 * MIB
"""The files that start a logical partition have the initramfs at this address."""
_PAGE = 4096
_MODULES = "usr/lib/modules"


def cdboot_files(scratch: Path, kernel: Path, initramfs: Path, arguments: str) -> list[IsoFile]:
    """The image, and the file that says where in it the area for the Ignition config is.

    Raises `live-kernel-unsupported`, `no-space-left`.
    """
    path = scratch / "cdboot.img"
    size = write_cdboot(path, kernel, initramfs, arguments)
    return [
        IsoFile.of(IGNINFO, igninfo(CDBOOT_IMAGE, size - IGNITION_SIZE)),
        IsoFile(path=CDBOOT_IMAGE, size=size, content=HostFile(str(path))),
    ]


def write_cdboot(path: Path, kernel: Path, initramfs: Path, arguments: str) -> int:
    """Write the image to a scratch file; returns its size in bytes.

    `initramfs` must have a size that an archive can follow.  The errors are those of `cdboot_files`.
    """
    size = initramfs.stat().st_size
    if size % cpio.ALIGNMENT:
        raise ValueError(f"the initramfs has {size} bytes, and no archive can follow")
    with kernel.open("rb") as file:
        require_kernel(kernel.stat().st_size, [file.read(MIB)])
    head = cdboot_head(kernel.read_bytes(), size + IGNITION_SIZE, arguments.encode())
    whole = len(head) + size + IGNITION_SIZE
    require_space(path.parent, whole)
    with path.open("wb") as out, initramfs.open("rb") as source:
        out.write(head)
        while data := source.read(MIB):
            out.write(data)
        out.truncate(whole)
    return whole


def cdboot_head(kernel: bytes, initramfs_size: int, arguments: bytes) -> bytes:
    """What comes before the initramfs: a kernel, with both in its parameters, up to the end of a page.

    It is one that `require_kernel` accepts; ValueError for arguments that are too long for it.
    """
    room = arguments_room(kernel)
    if len(arguments) >= room:
        raise ValueError(f"{len(arguments)} bytes of arguments for a kernel that takes {room}")
    head = bytearray(kernel.ljust(align_up(len(kernel), _PAGE), b"\0"))
    struct.pack_into(">QQ", head, INITRAMFS_AT, len(head), initramfs_size)
    head[ARGUMENTS_AT : ARGUMENTS_AT + room] = arguments.ljust(room, b"\0")
    return bytes(head)


def require_layer_kernel(tree: Tree) -> None:
    """Raise `live-kernel-unsupported` for a layer with a kernel that cannot be in such an image."""
    for version in tree.listdir(_MODULES):
        kernel = tree.entries.get(f"{_MODULES}/{version}/vmlinuz")
        if kernel is not None and kernel.kind is Kind.FILE:
            require_kernel(kernel.size, tree.chunks(kernel))


def require_kernel(size: int, pieces: Iterable[bytes]) -> None:
    """Raise `live-kernel-unsupported` for a kernel that cannot be in such an image.

    `pieces` are its content from the beginning on; only as many as needed are read.
    """
    head = bytearray()
    for piece in pieces:
        head += piece
        if len(head) > ARGUMENTS_AT:
            break
    start = bytes(head)
    if not is_kernel(start):
        raise _unsupported("it is not an image that loads itself, as s390x's bzImage does")
    if (room := arguments_room(start)) < KARGS_SIZE:
        raise _unsupported(f"it takes arguments of {room} bytes, and an ISO has an area of {KARGS_SIZE}")
    if not ARGUMENTS_AT + room <= size <= LARGEST_KERNEL:
        raise _unsupported(f"it has {size} bytes; the initramfs is loaded at {LARGEST_KERNEL}")


def _unsupported(why: str) -> BootimgError:
    return BootimgError(
        "live-kernel-unsupported",
        f"the layer's kernel cannot be started from a live ISO of s390x: {why}",
        hint="install the kernel's package as it is, or leave `live` out",
        exit_code=ExitCode.USAGE,
    )
