"""zIPL's third stage, which starts the kernel: a file of the layer that is copied as it is."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from bootimg.disk.zipl.format import PARAMETERS, STAGE3
from bootimg.disk.zipl.signature import unsigned_length
from bootimg.errors import BootimgError, ExitCode
from bootimg.layer.tree.merged import Tree

PATHS = ("usr/lib/s390-tools/stage3.bin", "lib/s390-tools/stage3.bin")
# The Makefile of zipl/boot pads it up to what follows it in memory, at 0xE000.
_SIZE = 0x4000
# head.S: basr %r13,0; la %r7,2
_START = bytes.fromhex("0dd0 4170 0002")
_FIELDS = range(PARAMETERS, PARAMETERS + 80)
# LARL and the loads and stores of RIL-b and RIL-c format: six bytes, an offset in units of two at the end.
_RELATIVE = struct.Struct(">BBi")
_LARL = (0xC0, 0x0)
_LOADS = 0xC4


def layer_stage3(tree: Tree) -> bytes:
    """The layer's third stage; `bootloader-missing`, or `zipl-stage3-unknown` if bootimg does not know it."""
    for path in PATHS:
        if tree.exists(path):
            return known_stage3(tree.read(path), f"/{path}")
    raise BootimgError(
        "bootloader-missing",
        "the layer has no zipl to boot the disk with",
        context=[f"looked for {' and '.join(f'/{path}' for path in PATHS)}"],
        hint="install s390-tools (RHEL and Fedora: s390-tools-core) in the layer",
        exit_code=ExitCode.USAGE,
    )


def known_stage3(content: bytes, where: str) -> bytes:
    """The code without a signature; refused if the parameters that it reads are not those that are known."""
    code = content[: unsigned_length(content)]
    if (reason := _unknown(code)) is not None:
        raise BootimgError(
            "zipl-stage3-unknown",
            "the layer's zipl has a third stage that bootimg does not know",
            context=[f"{where}: {reason}"],
            note="known are those of s390-tools 2.17 to 2.43",
            hint="update bootimg, or install such a version in the layer",
            exit_code=ExitCode.USAGE,
        )
    return code


def _unknown(code: bytes) -> str | None:
    if len(code) != _SIZE:
        return f"it has {len(code)} bytes, not {_SIZE}"
    if not code.startswith(_START):
        return "it does not begin like one"
    used = set(_references(code))
    if not any(address in _FIELDS for address in used):
        return f"it does not read its parameters at 0x{PARAMETERS:x}"
    strange = sorted(each for each in used if PARAMETERS <= each < STAGE3 and each not in _FIELDS)
    return f"it reads 0x{strange[0]:x}, which is no parameter that is known" if strange else None


def _references(code: bytes) -> Iterator[int]:
    """The addresses that instructions name relative to themselves."""
    for at in range(0, len(code) - _RELATIVE.size + 1, 2):
        opcode, registers, offset = _RELATIVE.unpack_from(code, at)
        if (opcode, registers & 0xF) == _LARL or opcode == _LOADS:
            yield STAGE3 + at + 2 * offset
