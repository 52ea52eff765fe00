"""The other files that a VMDK names: extents and parents of a text descriptor or an embedded one."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import BinaryIO

from bootimg.sizes import MIB
from bootimg.vm.references import Reference, read_at, unpack_at

SPARSE_MAGIC = b"KDMV"
# Little-endian: magic, version, flags, capacity, grain size, descriptor's place and length, in sectors.
_HEADER = struct.Struct("<4sIIQQQQ")
_SECTOR = 512
# QEMU looks for the parent here in any sparse file, regardless of its header.
_FIXED_AT, _FIXED_SIZE = 0x200, 20 * _SECTOR
_FLAGS = re.MULTILINE | re.IGNORECASE
_EXTENT = re.compile(r'^\s*(?:RW|RDONLY|NOACCESS)\s+\d+\s+(\w+)[^\S\n]*(?:"([^"\n]*)"?)?', _FLAGS)
_PARENT = re.compile(r'parentFileNameHint(?:[^\S\n]*=[^\S\n]*"?([^"\n]*))?', re.IGNORECASE)
_PARENT_CID = re.compile(r"^\s*parentCID\s*=\s*(?!f{8}\b)(\S+)", _FLAGS)


def is_text_descriptor(head: bytes) -> bool:
    """Whether QEMU reads the file as a descriptor: comments and empty lines, then a version."""
    for line in head.split(b"\n"):
        line = line.strip()
        if line and not line.startswith(b"#"):
            return line.startswith(b"version=")
    return head.lower().startswith(b"# disk descriptorfile")


def vmdk_references(file: BinaryIO) -> Iterator[Reference]:
    """Extents and parents; a sparse file may name itself as its only extent, without a folder."""
    if read_at(file, 0, 4) != SPARSE_MAGIC:
        yield from _of_text(_text(read_at(file, 0, MIB)), own=False)
        return
    capacity, _, place, length = unpack_at(_HEADER, file, 0)[3:7]
    # Without a capacity in the header, the descriptor's extents are the disk for QEMU.
    own = capacity != 0
    size = min(length * _SECTOR, MIB) if own else MIB
    texts = {_text(read_at(file, place * _SECTOR, size)), _text(read_at(file, _FIXED_AT, _FIXED_SIZE))}
    found = [reference for text in sorted(texts) for reference in _of_text(text, own=own)]
    yield from dict.fromkeys(found)


def _of_text(text: str, *, own: bool) -> Iterator[Reference]:
    extents = [(kind.upper(), name) for kind, name in _EXTENT.findall(text) if kind.upper() != "ZERO"]
    if not (own and len(extents) == 1 and _is_itself(*extents[0])):
        yield from (Reference(f"{kind} extent", name) for kind, name in extents)
    parent = _PARENT.search(text)
    if parent:
        yield Reference("parent disk", parent[1] or "")
    elif cid := _PARENT_CID.search(text):
        yield Reference("parent disk", f"CID {cid[1]}")


def _is_itself(kind: str, name: str) -> bool:
    """Whether an extent can be the file itself; any name without a folder can, because files are renamed."""
    return kind == "SPARSE" and not set(name) & set("/\\:")


def _text(data: bytes) -> str:
    return data.partition(b"\0")[0].decode(errors="replace")
