"""GRUB for the BIOS as a layer has it, invented: images and modules that nothing can execute."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from random import Random

from bootimg.disk.bootloaders.elf32 import I386
from bootimg.disk.bootloaders.grub import core_modules
from tests.support.arches.grubkernels import SECTIONS, Sections, kernel_of

LINK_ADDRESS = 0x9000
BOOT_IMAGE = bytes(range(256)) + bytes(254) + b"\x55\xaa"
DISKBOOT = b"\x52" * 500 + struct.pack("<QHH", 2, 0, 0x820)
DECOMPRESSOR = bytes(range(256)) * 11


def kernel_image(sections: Sections = SECTIONS, first: int = LINK_ADDRESS) -> bytes:
    """A kernel.img with these sections."""
    return kernel_of(I386, first, sections)


def modules() -> Mapping[str, bytes]:
    """The modules of the core image, and two that some of them need; each of another size."""
    names = [*core_modules({"blscfg"}), "gettext", "net"]
    return {name: f"module {name}".encode() * (number + 1) for number, name in enumerate(names)}


FILES: Mapping[str, bytes] = {
    "boot.img": BOOT_IMAGE,
    "diskboot.img": DISKBOOT,
    "kernel.img": kernel_image(),
    "lzma_decompress.img": DECOMPRESSOR,
    "moddep.lst": b"normal: net gettext boot\nblscfg: normal\nnet: gettext\n",
    **{f"{name}.mod": data for name, data in modules().items()},
}
"""The files of the modules' folder."""


def noise(length: int) -> bytes:
    """The same bytes each time, which no compressor makes smaller."""
    return Random(5).randbytes(length)
