"""GRUB for Open Firmware as a layer has it, invented: a kernel and modules that nothing can execute."""

from __future__ import annotations

from collections.abc import Mapping

from bootimg.disk.bootloaders.elf32 import POWERPC
from bootimg.disk.bootloaders.grub import core_modules
from tests.support.arches.grubkernels import SECTIONS, Sections, kernel_of
from tests.support.layers import oci

MODULES = "usr/lib/grub/powerpc-ieee1275"
LINK_ADDRESSES = (0x200000, 0x400000)
"""Where GRUB's kernel is loaded: until 2.06, and in Red Hat's."""


def kernel_image(sections: Sections = SECTIONS, first: int = LINK_ADDRESSES[0]) -> bytes:
    """A kernel.img with these sections."""
    return kernel_of(POWERPC, first, sections)


def modules() -> Mapping[str, bytes]:
    """The modules that core images have, and two that some of them need; each of another size."""
    names = [*core_modules({"blsuki"}, drivers=()), "gettext", "net", "unused", "iso9660"]
    return {name: f"module {name}".encode() * (number + 1) for number, name in enumerate(names)}


def files(**changed: bytes | None) -> list[oci.Member]:
    """The files of the modules' folder; `changed` replaces some, or leaves them out with None."""
    found: dict[str, bytes | None] = {f"{name}.mod": data for name, data in modules().items()}
    found |= {
        "kernel.img": kernel_image(),
        "moddep.lst": b"normal: net gettext boot\nblsuki: normal\nnet: gettext\nunused: net\n",
        "fs.lst": b"ext2\n",
        "modinfo.sh": b"#!/bin/sh\n",
        **{name.replace("_", "."): data for name, data in changed.items()},
    }
    return [oci.file(f"{MODULES}/{name}", data) for name, data in found.items() if data is not None]
