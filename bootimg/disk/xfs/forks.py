"""How an inode's 336 bytes are divided between data and attributes.

The kernel turns a full fork into a tree in place, so each fork keeps room for a tree's root.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from bootimg.disk.filetree import Kind, Node
from bootimg.disk.xfs import attributeleaves, attributes
from bootimg.disk.xfs.attributes import Attribute, node_attributes
from bootimg.disk.xfs.layout import LITERAL

_DEVICE_FORK = 8
_LEAST_DATA = 56
_LEAST_ATTRIBUTES = 40
_USUAL_DATA = 192
"""The data fork that the kernel leaves when an inode of 512 bytes gets its first attribute."""
SPECIAL = (Kind.CHARACTER_DEVICE, Kind.BLOCK_DEVICE, Kind.FIFO, Kind.SOCKET)


@dataclass(frozen=True, slots=True)
class Division:
    """The attributes of a node, whether they stay in the inode, and the data fork's room."""

    attributes: tuple[Attribute, ...]
    short: bytes | None
    special: bool

    @property
    def data_room(self) -> int:
        """Bytes that the data fork can have at most."""
        if not self.attributes:
            return LITERAL
        return _DEVICE_FORK if self.special else LITERAL - self._attributes_need & ~7

    @property
    def attribute_blocks(self) -> int:
        """Blocks of the attributes, without a tree of their extents."""
        outside = self.attributes and self.short is None
        return attributeleaves.block_count(self.attributes) if outside else 0

    def data_fork(self, need: int) -> int:
        """Bytes of the data fork for data of `need` bytes; more than its room become a tree."""
        if not self.attributes or self.special:
            return self.data_room
        if need <= _USUAL_DATA <= self.data_room:
            return _USUAL_DATA
        return self.data_room

    @staticmethod
    def attribute_room(data_fork: int) -> int:
        """Bytes of the attribute fork behind a data fork of `data_fork` bytes."""
        return LITERAL - data_fork

    @property
    def _attributes_need(self) -> int:
        return max(len(self.short or b""), _LEAST_ATTRIBUTES)


def division(node: Node) -> Division:
    """Divide a node's inode; `xfs-file-unsupported` for an attribute that XFS cannot hold."""
    return _divide(node_attributes(node) if node.xattrs else (), node.kind in SPECIAL)


@lru_cache(64)
def _divide(found: tuple[Attribute, ...], special: bool) -> Division:
    size = attributes.short_size(found)
    least = _DEVICE_FORK if special else _LEAST_DATA
    fits = size is not None and size <= LITERAL - least
    return Division(found, attributes.short_form(found) if fits else None, special)
