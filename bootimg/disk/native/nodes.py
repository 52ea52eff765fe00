"""The entries of the deployed system as the nodes that the XFS writer takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bootimg.disk.filetree import HostRange, Node
from bootimg.disk.filetree import Kind as NodeKind
from bootimg.sysroot.entries import Content, Entry, Kind

_KINDS = {
    Kind.FILE: NodeKind.FILE,
    Kind.DIRECTORY: NodeKind.DIRECTORY,
    Kind.SYMLINK: NodeKind.SYMLINK,
    # overlayfs knows a whiteout by its device number 0:0, which is the default of a node.
    Kind.WHITEOUT: NodeKind.CHARACTER_DEVICE,
}


def nodes(entries: Iterable[Entry]) -> Iterator[Node]:
    """A node for each entry, in the same order; entries of one link after the first become hard links."""
    first: dict[str, bytes] = {}
    for entry in entries:
        if entry.link is not None and entry.link in first:
            yield Node(path=entry.path, kind=NodeKind.HARD_LINK, target=first[entry.link])
            continue
        if entry.link is not None:
            first[entry.link] = entry.path
        yield _node(entry)


def _node(entry: Entry) -> Node:
    return Node(
        path=entry.path,
        kind=_KINDS[entry.kind],
        mode=entry.mode,
        uid=entry.uid,
        gid=entry.gid,
        mtime=entry.mtime,
        xattrs=entry.xattrs,
        size=entry.size,
        content=_content(entry.content),
        reflink=entry.reflink,
        target=entry.target,
        immutable=entry.immutable,
    )


def _content(content: Content) -> bytes | HostRange:
    return content if isinstance(content, bytes) else HostRange(content.path, content.offset)
