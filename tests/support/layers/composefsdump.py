"""A tree in the text form that `mkcomposefs --from-file` reads."""

from __future__ import annotations

import stat
from collections.abc import Iterator

from bootimg.sysroot.composefs.tree import Node


def dump(root: Node) -> bytes:
    """The tree's text, before its root's whiteouts are added."""
    return b"".join(_lines(root, b""))


def _lines(node: Node, path: bytes) -> Iterator[bytes]:
    payload, size = b"-", 0
    if stat.S_ISLNK(node.mode):
        payload, size = _escaped(node.target), len(node.target)
    elif stat.S_ISREG(node.mode) and node.size:
        payload, size = _escaped(node.redirect), node.size
    attributes = b"".join(b" " + _escaped(key, b"=") + b"=" + _escaped(value) for key, value in node.xattrs)
    yield b"%s %d %o 1 %d %d 0 0.0 %s - -%s\n" % (
        _escaped(path or b"/"), size, node.mode, node.uid, node.gid, payload, attributes,
    )  # fmt: skip
    for name, child in sorted((node.children or {}).items()):
        yield from _lines(child, path + b"/" + name)


def _escaped(value: bytes, also: bytes = b"") -> bytes:
    if value == b"-":
        return b"\\x2d"
    special = b"\\" + also
    return b"".join(
        bytes((each,)) if 32 < each < 127 and each not in special else b"\\x%02x" % each for each in value
    )
