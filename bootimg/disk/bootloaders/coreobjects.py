"""The list of objects behind GRUB's kernel in a core image: modules, a configuration, the prefix.

Source of the format: GRUB's include/grub/kernel.h and util/mkimage.c.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from enum import IntEnum

from bootimg.disk.bootloaders.elf32 import Machine
from bootimg.sizes import align_up

_MAGIC = 0x676D696D
_INFO, _OBJECT = "III", "II"
_WORD = 4


class _Kind(IntEnum):
    MODULE = 0
    CONFIGURATION = 2
    PREFIX = 3


def core_objects(machine: Machine, modules: Sequence[bytes], *, config: bytes, prefix: str) -> bytes:
    """The list with its head, for a kernel of `machine`; the modules are in the order to load them."""
    info, head = (struct.Struct(machine.order + fields) for fields in (_INFO, _OBJECT))
    objects = b"".join(
        [
            *(_object(head, _Kind.MODULE, module) for module in modules),
            _object(head, _Kind.CONFIGURATION, config + b"\0"),
            _object(head, _Kind.PREFIX, prefix.encode() + b"\0"),
        ]
    )
    return info.pack(_MAGIC, info.size, info.size + len(objects)) + objects


def _object(head: struct.Struct, kind: _Kind, content: bytes) -> bytes:
    padded = content.ljust(align_up(len(content), _WORD), b"\0")
    return head.pack(kind, head.size + len(padded)) + padded
