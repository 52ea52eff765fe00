"""Nodes by name become inodes: who is in which directory, how many names an inode has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bootimg.disk.filetree import Kind, Node
from bootimg.disk.xfs.directory import Name
from bootimg.disk.xfs.errors import unsupported_file
from bootimg.disk.xfs.extents import Extent

_FILE_TYPES = {
    Kind.FILE: 1,
    Kind.DIRECTORY: 2,
    Kind.CHARACTER_DEVICE: 3,
    Kind.BLOCK_DEVICE: 4,
    Kind.FIFO: 5,
    Kind.SOCKET: 6,
    Kind.SYMLINK: 7,
}
_LONGEST_NAME, _LONGEST_TARGET = 255, 1023
# What the kernel reads back of a device's numbers.
_LARGEST_MAJOR, _LARGEST_MINOR = 0x1FF, 0x3FFFF
_FIRST_TIME, _LAST_TIME = -(1 << 31) * 10**9, (1 << 64) - 1 - (1 << 31) * 10**9


class Inode:
    """An inode to be written; the plan gives it its group and number."""

    __slots__ = ("children", "extents", "group", "links", "node", "number", "owners", "parent", "shares")

    def __init__(self, node: Node, parent: Inode | None) -> None:
        self.node = node
        self.parent = parent or self
        self.children: dict[bytes, Inode] | None = {} if node.kind is Kind.DIRECTORY else None
        self.links = 2 if node.kind is Kind.DIRECTORY else 1
        self.number = 0
        self.group = 0
        self.shares: Inode | None = None
        """The inode whose extents this one shares."""
        self.owners = 1
        """How many inodes share the extents of this one, itself included."""
        self.extents: list[Extent] = []
        """The data extents, kept for those that share them."""

    @property
    def names(self) -> Iterator[Name]:
        """The entries of a directory, in the order of the nodes."""
        for name, child in (self.children or {}).items():
            yield Name(name, child.number, _FILE_TYPES[child.node.kind])


def read_tree(nodes: Iterable[Node]) -> list[Inode]:
    """The inodes in the order of the nodes, the root first.

    `xfs-file-unsupported` for what XFS cannot represent; ValueError for nodes that do not make a tree.
    """
    inodes: list[Inode] = []
    folders: dict[bytes, Inode] = {}
    for node in nodes:
        _check(node)
        inode = _add(node, folders) if inodes else _root(node)
        if inode is None:
            continue
        inodes.append(inode)
        if node.kind is Kind.DIRECTORY:
            folders[node.path] = inode
    if not inodes:
        raise ValueError("a tree needs a root")
    return inodes


def _root(node: Node) -> Inode:
    if node.path or node.kind is not Kind.DIRECTORY:
        raise ValueError("the root must come first")
    return Inode(node, None)


def _add(node: Node, folders: dict[bytes, Inode]) -> Inode | None:
    """Put a name into its directory; None where it is one more name of an earlier inode."""
    parent, name = _place(node, folders)
    assert parent.children is not None
    if node.kind is Kind.HARD_LINK:
        target = _find(node.target, node, folders)
        target.links += 1
        parent.children[name] = target
        return None
    inode = parent.children[name] = Inode(node, parent)
    if node.kind is Kind.DIRECTORY:
        parent.links += 1
    if node.reflink is not None:
        _share(inode, _find(node.reflink, node, folders))
    return inode


def _place(node: Node, folders: dict[bytes, Inode]) -> tuple[Inode, bytes]:
    where, _, name = node.path.rpartition(b"/")
    if where not in folders:
        raise ValueError(f"{node.path!r} comes before its directory")
    if name in (b"", b".", b"..") or b"\0" in name or name in (folders[where].children or ()):
        raise ValueError(f"{node.path!r} is not a name, or comes twice")
    if len(name) > _LONGEST_NAME:
        raise unsupported_file(node.path, "its name is too long")
    return folders[where], name


def _find(path: bytes, node: Node, folders: dict[bytes, Inode]) -> Inode:
    """The earlier inode that a hard link or a reflink names."""
    where, _, name = path.rpartition(b"/")
    found = (folders[where].children or {}).get(name) if where in folders else None
    if found is None or found.children is not None:
        raise ValueError(f"{node.path!r} refers to {path!r}, which is not an earlier file")
    return found


def _share(inode: Inode, other: Inode) -> None:
    other = other.shares or other
    if inode.node.kind is not Kind.FILE or other.node.kind is not Kind.FILE:
        raise ValueError(f"{inode.node.path!r} shares extents, but both are not regular files")
    inode.shares = other
    other.owners += 1


def _check(node: Node) -> None:
    """Refuse what XFS, or a kernel that reads it, cannot represent."""
    if not _FIRST_TIME <= node.mtime <= _LAST_TIME:
        raise unsupported_file(node.path, "its time is before 1901 or after 2486")
    if node.kind is Kind.SYMLINK and not 0 < len(node.target) <= _LONGEST_TARGET:
        raise unsupported_file(node.path, f"its target has {len(node.target)} bytes")
    major, minor = node.device
    if not (0 <= major <= _LARGEST_MAJOR and 0 <= minor <= _LARGEST_MINOR):
        raise unsupported_file(node.path, f"the device number {major}:{minor} is too large")
    if isinstance(node.content, bytes) and node.kind is Kind.FILE and len(node.content) != node.size:
        raise ValueError(f"{node.path!r} has {len(node.content)} bytes of content, not {node.size}")
