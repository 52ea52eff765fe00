"""Extended attributes as XFS names them, and their short form inside the inode."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from bootimg.disk.filetree import Node, Xattrs
from bootimg.disk.xfs.errors import unsupported_file
from bootimg.disk.xfs.hashtree import name_hash

_NAMESPACES = ((b"user.", 0), (b"trusted.", 2), (b"security.", 4))
_TRUSTED = 2
_ACLS = {b"system.posix_acl_access": b"SGI_ACL_FILE", b"system.posix_acl_default": b"SGI_ACL_DEFAULT"}
_RESERVED = (b"SGI_ACL_FILE", b"SGI_ACL_DEFAULT", b"SGI_MAC_FILE", b"SGI_CAP_FILE")
"""Names in the namespace `trusted` whose values have forms of XFS's own."""
_LONGEST_NAME, _LONGEST_VALUE = 255, 65536
_SHORT_VALUE = 255
_MANY = 255
_ACL_VERSION = 2
_ACL_USER, _ACL_GROUP = 2, 8
"""The tags of an ACL's entries that have a user's or a group's number."""
_NO_NUMBER = 0xFFFFFFFF


class Attribute(NamedTuple):
    """An attribute as the disk has it, in the order of the index."""

    hash: int
    name: bytes
    namespace: int
    value: bytes


class _UnsupportedError(Exception):
    """XFS cannot hold an attribute."""


def node_attributes(node: Node) -> tuple[Attribute, ...]:
    """The attributes of a node, sorted; `xfs-file-unsupported` where XFS cannot hold one."""
    try:
        return _disk_attributes(node.xattrs)
    except _UnsupportedError as error:
        raise unsupported_file(node.path, str(error)) from None


@lru_cache(64)
def _disk_attributes(xattrs: Xattrs) -> tuple[Attribute, ...]:
    found = {attribute[:3]: attribute for attribute in (_attribute(name, value) for name, value in xattrs)}
    if len(found) != len(xattrs):
        raise _UnsupportedError("an extended attribute has two values")
    for attribute in found.values():
        if not 0 < len(attribute.name) <= _LONGEST_NAME or len(attribute.value) > _LONGEST_VALUE:
            raise _UnsupportedError(f"the extended attribute {attribute.name[:40]!r} is too long")
    return tuple(sorted(found.values()))


def _attribute(name: bytes, value: bytes) -> Attribute:
    if name in _ACLS:
        return Attribute(name_hash(_ACLS[name]), _ACLS[name], _TRUSTED, _disk_acl(value))
    for prefix, namespace in _NAMESPACES:
        if name.startswith(prefix):
            own = name[len(prefix) :]
            if namespace == _TRUSTED and own in _RESERVED:
                raise _UnsupportedError(f"XFS reserves the extended attribute {name[:40]!r}")
            return Attribute(name_hash(own), own, namespace, value)
    raise _UnsupportedError(f"the extended attribute {name[:40]!r} is in an unknown namespace")


def _disk_acl(value: bytes) -> bytes:
    """An ACL in XFS's own form: big-endian, the number of entries first."""
    if len(value) % 8 != 4 or value[:4] != struct.pack("<I", _ACL_VERSION):
        raise _UnsupportedError("an access control list has an unknown form")
    entries = [struct.unpack_from("<HHI", value, at) for at in range(4, len(value), 8)]
    packed = [
        struct.pack(">IIHH", tag, number if tag in (_ACL_USER, _ACL_GROUP) else _NO_NUMBER, permissions, 0)
        for tag, permissions, number in entries
    ]
    return struct.pack(">I", len(packed)) + b"".join(packed)


def short_size(attributes: Sequence[Attribute]) -> int | None:
    """Bytes of the short form; None where values are too long for it."""
    if len(attributes) > _MANY or any(len(each.value) > _SHORT_VALUE for each in attributes):
        return None
    return 4 + sum(3 + len(each.name) + len(each.value) for each in attributes)


def short_form(attributes: Sequence[Attribute]) -> bytes:
    """The attributes as they lie in the inode."""
    parts = [struct.pack(">HBB", short_size(attributes) or 0, len(attributes), 0)]
    for each in attributes:
        parts += (struct.pack(">BBB", len(each.name), len(each.value), each.namespace), each.name, each.value)
    return b"".join(parts)
