"""Trees out of tar files, and what a layer must hold to make one tree of another."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from tests.layer.recipe import SOURCE_DATE_EPOCH

WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"
_XATTR = "SCHILY.xattr."

Paths = Callable[[str], bool]


@dataclass(frozen=True)
class Node:
    """One file system object of a tree, under the first of its names if it has several."""

    kind: bytes
    mode: int
    uid: int
    gid: int
    target: str = ""
    xattrs: Mapping[str, str] = field(default_factory=dict)
    read: Callable[[], bytes] = bytes
    names: tuple[str, ...] = ()

    @cached_property
    def fingerprint(self) -> tuple[object, ...]:
        """Equal for objects that a layer need not replace; the time of change does not count."""
        content = hashlib.sha256(self.read()).digest() if self.kind == tarfile.REGTYPE else b""
        xattrs = tuple(sorted(self.xattrs.items()))
        return (self.kind, self.mode, self.uid, self.gid, self.target, xattrs, content, self.names)


Tree = dict[str, Node]


def read_tree(archive: tarfile.TarFile, wanted: Paths) -> Tree:
    """The tree in a tar file, by path; `wanted` chooses.  The archive must stay open."""
    members = {_clean(info.name): info for info in archive if _clean(info.name)}
    groups: dict[str, list[str]] = defaultdict(list)
    for path, info in members.items():
        if wanted(path):
            groups[_clean(info.linkname) if info.islnk() else path].append(path)
    tree: Tree = {}
    for original, names in groups.items():
        node = _node(archive, members[original], tuple(sorted(names)))
        tree.update((name, node) for name in names)
    return tree


def _clean(name: str) -> str:
    return name.removeprefix(".").strip("/")


def _node(archive: tarfile.TarFile, info: tarfile.TarInfo, names: tuple[str, ...]) -> Node:
    def read() -> bytes:
        member = archive.extractfile(info)
        return member.read() if member else b""

    return Node(
        kind=tarfile.REGTYPE if info.isreg() else info.type,
        mode=info.mode,
        uid=info.uid,
        gid=info.gid,
        target=info.linkname if info.issym() else "",
        xattrs={key: value for key, value in info.pax_headers.items() if key.startswith(_XATTR)},
        read=read,
        names=names,
    )


def file_node(
    path: str, content: bytes, *, mode: int = 0o644, xattrs: Mapping[str, str] | None = None
) -> Node:
    """A file of root's; `xattrs` by their full names (`user.…`)."""
    named = {_XATTR + key: value for key, value in (xattrs or {}).items()}
    return Node(tarfile.REGTYPE, mode, 0, 0, xattrs=named, read=lambda: content, names=(path,))


def put(tree: Tree, path: str, node: Node) -> None:
    """Place a node in a tree, with the directories above it."""
    for parent in parents(path):
        tree.setdefault(parent, Node(tarfile.DIRTYPE, 0o755, 0, 0, names=(parent,)))
    tree[path] = node


def parents(path: str) -> Iterator[str]:
    """The directories above a path, the outermost first."""
    parts = path.split("/")
    return ("/".join(parts[:count]) for count in range(1, len(parts)))


@dataclass(frozen=True, slots=True)
class Change:
    """What one layer holds: nodes to put, names to white out, directories to make opaque."""

    put: Tree
    removed: tuple[str, ...] = ()
    opaque: tuple[str, ...] = ()

    def apply(self, tree: Tree) -> Tree:
        """The tree that a reader of the layers sees."""
        replaced = {path for path, node in self.put.items() if node.kind != tarfile.DIRTYPE}
        cut = replaced | {*self.removed, *self.opaque}

        def hidden(path: str) -> bool:
            return path in self.removed or any(parent in cut for parent in parents(path))

        return {path: node for path, node in tree.items() if not hidden(path)} | self.put


def difference(lower: Tree, upper: Tree) -> Change:
    """What turns `lower` into `upper`.

    A directory of which nothing is left as it was, though there was something, becomes opaque; else
    what is gone is whited out by name, at the highest directory that is gone.
    """
    changed = {p for p, node in upper.items() if p not in lower or lower[p].fingerprint != node.fingerprint}
    gone = sorted(p for p in lower if p not in upper and not _under_non_directory(p, upper))
    tops = [p for p in gone if not any(one in lower and one not in upper for one in parents(p))]
    opaque = sorted({_parent(p) for p in tops if _all_replaced(_parent(p), lower, upper, changed)})
    removed = tuple(p for p in tops if _parent(p) not in opaque)
    tree: Tree = {}
    for path in sorted(changed):
        for parent in parents(path):
            tree[parent] = upper[parent]
        tree[path] = upper[path]
    return Change(tree, removed, tuple(opaque))


def _under_non_directory(path: str, upper: Tree) -> bool:
    return any(one in upper and upper[one].kind != tarfile.DIRTYPE for one in parents(path))


def _parent(path: str) -> str:
    return path.rpartition("/")[0]


def _all_replaced(directory: str, lower: Tree, upper: Tree, changed: set[str]) -> bool:
    if directory not in upper or directory not in lower:
        return False
    inside = [p for p in upper if p.startswith(directory + "/")]
    return bool(inside) and all(p in changed for p in inside)


def select(tree: Tree, wanted: Paths) -> Tree:
    """The part of a tree whose paths are `wanted`, with the directories above."""
    chosen = {path for path in tree if wanted(path)}
    chosen |= {parent for path in chosen for parent in parents(path)}
    return {path: node for path, node in tree.items() if path in chosen}


def write_change(change: Change, output: tarfile.TarFile) -> None:
    """Write a layer's tar: whiteouts first, then the tree, each hard link after its original."""
    written: dict[int, str] = {}
    for path in change.opaque:
        output.addfile(_info(f"{path}/{OPAQUE}"))
    for path in change.removed:
        folder, _, name = path.rpartition("/")
        output.addfile(_info(f"{folder}/{WHITEOUT}{name}".lstrip("/")))
    for path in sorted(change.put):
        _add(output, path, change.put[path], written)


def _add(output: tarfile.TarFile, path: str, node: Node, written: dict[int, str]) -> None:
    info = _info(path)
    info.type, info.mode, info.uid, info.gid = node.kind, node.mode, node.uid, node.gid
    info.linkname = node.target
    original = written.setdefault(id(node), path)
    if original != path:
        info.type, info.linkname = tarfile.LNKTYPE, original
        output.addfile(info)
        return
    info.pax_headers = dict(node.xattrs)
    content = node.read() if node.kind == tarfile.REGTYPE else b""
    info.size = len(content)
    output.addfile(info, io.BytesIO(content))


def _info(path: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(path)
    info.mtime = SOURCE_DATE_EPOCH
    return info
