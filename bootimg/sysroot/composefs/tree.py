"""The tree of a composefs image."""

from __future__ import annotations

import stat
from dataclasses import dataclass, field
from typing import Self

from bootimg.sysroot.commit import WHITEOUT, Commit, Folder
from bootimg.sysroot.entries import SELINUX, Xattrs
from bootimg.sysroot.objects import FileObject
from bootimg.sysroot.unsupported import NativeUnsupportedError

_OVERLAY = b"trusted.overlay."
# The root's directories that something is mounted on at boot: ostree makes those that the commit lacks, such
# as /etc, without a label (ostree_repo_checkout_composefs).
_MOUNT_POINTS = (b"usr", b"etc", b"boot", b"var", b"sysroot")


@dataclass(slots=True, eq=False, kw_only=True)
class Node:
    """An inode; `mode` has the file type's bits, `children` is None unless it is a directory.

    `redirect` is the name of a regular file's object below the repository's `objects`.
    """

    mode: int
    uid: int = 0
    gid: int = 0
    size: int = 0
    target: bytes = b""
    redirect: bytes = b""
    xattrs: Xattrs = ()
    children: dict[bytes, Node] | None = None
    parent: Self | None = None
    number: int = 0
    links: int = 1
    attributes: Xattrs = field(default=(), init=False)


def commit_nodes(commit: Commit) -> Node:
    """The tree of a commit with all mount points: regular files that are not empty are redirects."""
    root = _directory(commit, commit.root)
    assert root.children is not None
    for name in _MOUNT_POINTS:
        root.children.setdefault(name, Node(mode=stat.S_IFDIR | 0o755, children={}))
    return root


def _directory(commit: Commit, folder: Folder) -> Node:
    found = commit.attributes(folder)
    node = Node(
        mode=stat.S_IFDIR | found.mode, uid=found.uid, gid=found.gid, xattrs=found.xattrs, children={}
    )
    assert node.children is not None
    files, folders = commit.contents(folder)
    for name, checksum in files.items():
        if name.startswith(WHITEOUT):
            raise NativeUnsupportedError("the commit has whiteouts, and its deployment a composefs image")
        node.children[name.encode()] = _file(commit.objects.file(checksum))
    for name, inner in folders.items():
        node.children[name.encode()] = _directory(commit, Folder(*inner))
    return node


def _file(file: FileObject) -> Node:
    if file.target is not None:
        return Node(
            mode=stat.S_IFLNK | 0o777, uid=file.uid, gid=file.gid, xattrs=file.xattrs, target=file.target
        )
    return Node(
        mode=stat.S_IFREG | file.mode,
        uid=file.uid,
        gid=file.gid,
        size=file.size,
        xattrs=file.xattrs,
        redirect=f"{file.checksum[:2]}/{file.checksum[2:]}.file".encode(),
    )


def finished(root: Node) -> list[Node]:
    """The inodes in the image's order: breadth first, names in the order of their bytes.

    The root is opaque and has 256 whiteouts, which hide the folders of the repository below it in overlayfs.
    """
    assert root.children is not None
    label = tuple(pair for pair in root.xattrs if pair[0] == SELINUX)
    for number in range(256):
        hidden = Node(mode=stat.S_IFCHR | 0o644, uid=root.uid, gid=root.gid, xattrs=label)
        root.children.setdefault(b"%02x" % number, hidden)
    nodes = [root]
    for number, node in enumerate(nodes):
        node.number = number
        node.attributes = _attributes(node, opaque=node is root)
        if node.children is not None:
            below = [child for _, child in sorted(node.children.items())]
            node.links = 2 + sum(child.children is not None for child in below)
            for child in below:
                child.parent = node
            nodes += below
    return nodes


def _attributes(node: Node, *, opaque: bool) -> Xattrs:
    """The attributes with overlayfs's; the file's own of that kind are escaped, one level deeper."""
    found = {
        _OVERLAY + name.removeprefix(b"trusted.") if name.startswith(_OVERLAY) else name: value
        for name, value in node.xattrs
    }
    if node.size and stat.S_ISREG(node.mode):
        found |= {_OVERLAY + b"metacopy": b"", _OVERLAY + b"redirect": b"/" + node.redirect}
    if opaque:
        found[_OVERLAY + b"opaque"] = b"y"
    return tuple(sorted(found.items()))
