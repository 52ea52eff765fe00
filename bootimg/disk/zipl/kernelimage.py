"""The beginning of s390x's kernel: how it is recognized, and its area for parameters.

Source: the kernel's arch/s390/boot/head.S and arch/s390/include/asm/setup.h.
"""

from __future__ import annotations

from typing import Final

INITRAMFS_AT = 0x10408
"""Where the address of the initramfs is, and its size after it: two 64-bit numbers."""
MAX_ARGUMENTS_AT = 0x10430
"""Where the kernel says, as a 64-bit number, how many bytes its arguments may have."""
ARGUMENTS_AT: Final = 0x10480
"""Where the kernel finds its arguments, which end with a zero."""
# LEGACY_COMMAND_LINE_SIZE.
_OLD_ROOM = 896
_ENTRY, _ENTRY_AT = b"S390EP", 0x10008
# Two channel commands and 16 spaces in EBCDIC; QEMU's firmware starts nothing else from a CD.
_COMMANDS, _COMMANDS_AT = bytes.fromhex("0200001860000050 0200006860000050") + b"\x40" * 16, 8


def is_kernel(head: bytes) -> bool:
    """Whether these first bytes, `ARGUMENTS_AT` of them or more, are of a kernel that can load itself."""
    return head.startswith(_COMMANDS, _COMMANDS_AT) and head.startswith(_ENTRY, _ENTRY_AT)


def arguments_room(head: bytes) -> int:
    """The bytes that arguments may have, with the zero at their end; ValueError if `head` is too short."""
    found = head[MAX_ARGUMENTS_AT : MAX_ARGUMENTS_AT + 8]
    if len(found) < 8:
        raise ValueError(f"the kernel has only {len(head)} bytes")
    return int.from_bytes(found) or _OLD_ROOM
