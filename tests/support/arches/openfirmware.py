"""GRUB for Open Firmware as a layer has it, invented: a kernel and modules that nothing can execute."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

from bootimg.disk.bootloaders.grub import core_modules
from tests.support.layers import oci

MODULES = "usr/lib/grub/powerpc-ieee1275"
LINK_ADDRESSES = (0x200000, 0x400000)
"""Where GRUB's kernel is loaded: until 2.06, and in Red Hat's."""
_HEADER, _SECTION = struct.Struct(">16sHHIIIIIHHHHHH"), struct.Struct(">10I")
_ALLOCATED, _CODE, _WRITABLE = 2, 4, 1

CODE, CONSTANTS, DATA = b"\x48\0\0\4" * 37, b"GRUB\0" * 5, bytes(range(200))
SECTIONS: Sequence[tuple[int, int, int, bytes | int, int]] = (
    (1, _ALLOCATED | _CODE, 0, CODE, 4),
    (1, _ALLOCATED, 0x94, CONSTANTS, 4),
    (1, _ALLOCATED | _WRITABLE, 0xC0, DATA, 32),
    (8, _ALLOCATED | _WRITABLE, 0x1A0, 0x1234, 16),
    (7, 0, 0, b"no code\0", 1),
)
"""Those of a kernel: kind, flags, distance from its beginning, content (or size in bytes), alignment."""


def kernel_image(
    sections: Sequence[tuple[int, int, int, bytes | int, int]] = SECTIONS, first: int = LINK_ADDRESSES[0]
) -> bytes:
    """An ELF with these sections, loaded from the address `first` on, as kernel.img is one."""
    body, table = b"", bytes(_SECTION.size)
    for kind, flags, distance, content, alignment in sections:
        address = first + distance if flags else 0
        data = content if isinstance(content, bytes) else b""
        size = content if isinstance(content, int) else len(content)
        at = _HEADER.size + len(body)
        table += _SECTION.pack(0, kind, flags, address, at, size, 0, 0, alignment, 0)
        body += data
    at, names = _HEADER.size + len(body) + 1, len(sections) + 1
    table += _SECTION.pack(0, 3, 0, 0, at - 1, 1, 0, 0, 1, 0)
    identity = b"\x7fELF\1\2\1".ljust(16, b"\0")
    head = _HEADER.pack(identity, 2, 20, 1, first, 0, at, 0, _HEADER.size, 32, 0, 40, names + 1, names)
    return head + body + b"\0" + table


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
