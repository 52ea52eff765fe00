"""GRUB's core image for the BIOS, as `grub-mkimage -O i386-pc` makes it.

It is GRUB's diskboot.img, which loads the rest from a disk; lzma_decompress.img, which unpacks the rest; and
the compressed payload: GRUB's kernel with the objects behind it.  The payload and every field are the ones of
grub-mkimage.  The compressed bytes are not: GRUB has a compressor of its own, and marks no end.  Formats:
GRUB's include/grub/offsets.h and include/grub/i386/pc/boot.h, util/mkimage.c,
grub-core/boot/i386/pc/startup_raw.S and lzma_decode.S.
"""

from __future__ import annotations

import lzma
import struct
from collections.abc import Mapping, Sequence

from bootimg.disk.bootloaders.bootcode import SECTOR
from bootimg.disk.bootloaders.corefiles import KERNEL, image_invalid
from bootimg.disk.bootloaders.coreobjects import core_objects
from bootimg.disk.bootloaders.elf32 import I386, ElfError
from bootimg.disk.bootloaders.grubkernel import Kernel, load_kernel
from bootimg.errors import BootimgError
from bootimg.sizes import MIB, align_up

DISKBOOT, DECOMPRESSOR = "diskboot.img", "lzma_decompress.img"
BLOCK = struct.Struct("<QHH")
"""An entry of diskboot.img's list, which is read from its end: first sector, number of sectors, segment."""
FIRST_BLOCK = SECTOR - BLOCK.size
# The core image is loaded from segment 0x800 on; its first sector is there already.
SEGMENT = 0x800 + (SECTOR >> 4)
_DECOMPRESSOR_ADDRESS = 0x8200
_KERNEL_ADDRESS = 0x9000
# GRUB's rules (util/mkimage.c) for the end of the kernel in conventional memory, and for the core image.
_LAST_KERNEL = 0x68000
_LARGEST = SECTOR + 0x78000 - _KERNEL_ADDRESS
_SIZES = struct.Struct("<II")
_SIZES_AT = 8
# The fields of the decompressor and the code that they are in front of.
_SMALLEST_DECOMPRESSOR = 0x1C
# GRUB unpacks at 1 MiB and names no limit.  Its payloads have 0.5 MiB.
_LARGEST_PAYLOAD = 8 * MIB
FILTER: Mapping[str, int] = {
    "id": lzma.FILTER_LZMA1,
    "dict_size": 0x10000,
    "lc": 3,
    "lp": 0,
    "pb": 2,
    "mode": lzma.MODE_NORMAL,
    "mf": lzma.MF_BT4,
    "nice_len": 128,
    "depth": 80,
}
"""How the payload is compressed.  The decompressor has lc, lp and pb built in.

All else is named too, because liblzma's defaults could differ by version.
"""


def pc_core_image(
    images: Mapping[str, bytes], modules: Sequence[bytes], *, config: bytes, prefix: str
) -> bytes:
    """The core image of GRUB's `images`, by their names, and of modules, in the order to load them.

    GRUB runs the configuration before anything else; the prefix is where it finds its folder.
    `grub-image-invalid` if an image is damaged, or if the BIOS could not load all of it.
    """
    try:
        kernel = load_kernel(images[KERNEL], I386)
    except ElfError as error:
        raise invalid(f"{KERNEL} {error}") from None
    _require_place(kernel)
    payload = kernel.image + core_objects(I386, modules, config=config, prefix=prefix)
    if len(payload) > _LARGEST_PAYLOAD:
        raise invalid(f"its kernel and modules have {len(payload)} bytes, more than {_LARGEST_PAYLOAD}")
    packed = lzma.compress(payload, lzma.FORMAT_RAW, filters=[FILTER])
    rest = _decompressor(images[DECOMPRESSOR], len(packed), len(payload)) + packed
    core = _diskboot(images[DISKBOOT], len(rest)) + rest
    require_loadable(core)
    return core


def require_loadable(core: bytes) -> None:
    """Raise `grub-image-invalid` if a core image is larger than the memory for it, or has only one sector."""
    if not 2 * SECTOR <= len(core) <= _LARGEST:
        raise invalid(f"a core image of {len(core)} bytes cannot be loaded")


def invalid(what: str) -> BootimgError:
    """The error for files of GRUB that make no core image."""
    return image_invalid("the BIOS", "usr/lib/grub/i386-pc", what)


def _require_place(kernel: Kernel) -> None:
    if kernel.address != _KERNEL_ADDRESS:
        raise invalid(f"{KERNEL} is linked to {kernel.address:#x}, not to {_KERNEL_ADDRESS:#x}")
    end = kernel.address + len(kernel.image) + kernel.bss
    if end > _LAST_KERNEL:
        raise invalid(f"{KERNEL} ends at {end:#x} in memory, behind {_LAST_KERNEL:#x}")


def _decompressor(image: bytes, packed: int, unpacked: int) -> bytes:
    largest = _KERNEL_ADDRESS - _DECOMPRESSOR_ADDRESS
    if not _SMALLEST_DECOMPRESSOR < len(image) <= largest:
        raise invalid(f"{DECOMPRESSOR} has {len(image)} bytes, and at most {largest} have a place")
    filled = bytearray(image)
    _SIZES.pack_into(filled, _SIZES_AT, packed, unpacked)
    return bytes(filled)


def _diskboot(image: bytes, length: int) -> bytes:
    """The first sector, with the number of sectors behind it; where they are is known on the disk."""
    if len(image) != SECTOR:
        raise invalid(f"{DISKBOOT} has {len(image)} bytes, not {SECTOR}")
    filled = bytearray(image)
    start, _, segment = BLOCK.unpack_from(filled, FIRST_BLOCK)
    if segment != SEGMENT:
        raise invalid(f"{DISKBOOT} loads the core image to another place")
    BLOCK.pack_into(filled, FIRST_BLOCK, start, align_up(length, SECTOR) // SECTOR, segment)
    return bytes(filled)
