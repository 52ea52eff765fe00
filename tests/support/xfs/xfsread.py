"""What an XFS holds, by an independent reader (dissect.xfs), and what it should hold."""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from dissect.util.stream import RangeStream
from dissect.xfs import XFS
from dissect.xfs.xfs import INode, fsb_to_bb, parse_fsblock

from bootimg.disk.filetree import HostRange, Kind, Node

LARGE = 1 << 30
"""Files from this size on are not read: they are holes."""
FORMATS = {
    Kind.FILE: stat.S_IFREG,
    Kind.DIRECTORY: stat.S_IFDIR,
    Kind.SYMLINK: stat.S_IFLNK,
    Kind.CHARACTER_DEVICE: stat.S_IFCHR,
    Kind.BLOCK_DEVICE: stat.S_IFBLK,
    Kind.FIFO: stat.S_IFIFO,
    Kind.SOCKET: stat.S_IFSOCK,
}
_NAMESPACES = {0: b"user.", 2: b"trusted.", 4: b"security."}
_BLOCK, _LITERAL = 4096, 176


@dataclass(frozen=True, slots=True)
class Found:
    """An inode as both sides describe it; `names` are all its paths."""

    mode: int
    uid: int
    gid: int
    mtime: int
    links: int
    xattrs: tuple[tuple[bytes, bytes], ...]
    content: object
    immutable: bool
    names: tuple[bytes, ...]


def expected(nodes: Iterable[Node]) -> dict[bytes, Found]:
    """What the nodes describe, by the first name of each inode."""
    first: dict[bytes, Node] = {}
    names: dict[bytes, list[bytes]] = {}
    owner: dict[bytes, bytes] = {}
    folders: dict[bytes, int] = {}
    for node in nodes:
        key = owner[node.target] if node.kind is Kind.HARD_LINK else node.path
        owner[node.path] = key
        names.setdefault(key, []).append(node.path)
        if node.kind is not Kind.HARD_LINK:
            first[key] = node
        if node.kind is Kind.DIRECTORY and node.path:
            folders[parent(node.path)] = folders.get(parent(node.path), 0) + 1
    return {
        min(names[key]): Found(
            mode=FORMATS[node.kind] | node.mode,
            uid=node.uid,
            gid=node.gid,
            mtime=node.mtime,
            links=2 + folders.get(key, 0) if node.kind is Kind.DIRECTORY else len(names[key]),
            xattrs=tuple(sorted(node.xattrs)),
            content=_content(node, first),
            immutable=node.immutable,
            names=tuple(sorted(names[key])),
        )
        for key, node in first.items()
    }


def parent(path: bytes) -> bytes:
    return path.rpartition(b"/")[0]


def _content(node: Node, first: dict[bytes, Node]) -> object:
    if node.kind is Kind.SYMLINK:
        return node.target
    if node.kind in (Kind.CHARACTER_DEVICE, Kind.BLOCK_DEVICE):
        return node.device
    if node.kind is not Kind.FILE:
        return None
    source = node
    while source.reflink is not None:
        source = first[source.reflink]
    if source.size >= LARGE:
        return source.size
    content = source.content
    if isinstance(content, HostRange):
        with Path(content.path).open("rb") as file:
            file.seek(content.offset)
            content = file.read(source.size)
    return source.size, sha256(content or bytes(source.size)).digest()


def read_back(image: Path, offset: int = 0) -> dict[bytes, Found]:
    """Everything that is in the file system, by the first name of each inode."""
    with image.open("rb") as file:
        size = os.fstat(file.fileno()).st_size - offset
        xfs = XFS(RangeStream(file, offset, size) if offset else file)
        found: dict[int, tuple[INode, list[bytes]]] = {}
        for path, inode in _walk(xfs):
            found.setdefault(inode.inum, (inode, []))[1].append(path)
        return {min(names): _found(xfs, inode, names) for inode, names in found.values()}


def _walk(xfs: XFS) -> Iterator[tuple[bytes, INode]]:
    waiting: list[tuple[bytes, INode]] = [(b"", xfs.root)]
    while waiting:
        path, folder = waiting.pop()
        yield path, folder
        names = set()
        for each in folder.iterdir():
            name = os.fsencode(each.filename)
            assert name not in names, "a name comes twice"
            names.add(name)
            if name in (b".", b".."):
                continue
            below = path + b"/" + name if path else name
            # The type in the entry is that of the inode.
            assert each._filetype == stat.S_IFMT(each.inode.di_mode)
            if each.filetype == stat.S_IFDIR:
                waiting.append((below, each))
            else:
                yield below, each


def _found(xfs: XFS, inode: INode, names: list[bytes]) -> Found:
    core = inode.inode
    return Found(
        mode=core.di_mode,
        uid=core.di_uid,
        gid=core.di_gid,
        mtime=inode.mtime_ns,
        links=core.di_nlink,
        xattrs=tuple(sorted(_attributes(xfs, inode))),
        content=_read(inode),
        immutable=bool(core.di_flags & 8),
        names=tuple(sorted(names)),
    )


def _read(inode: INode) -> object:
    kind = inode.filetype
    if kind == stat.S_IFLNK:
        return os.fsencode(inode.link)
    if kind in (stat.S_IFCHR, stat.S_IFBLK):
        inode.inode  # noqa: B018 (it reads the record)
        number = struct.unpack_from(">I", inode._buf.getvalue(), _LITERAL)[0]
        return number >> 18, number & 0x3FFFF
    if kind != stat.S_IFREG:
        return None
    if inode.size >= LARGE:
        return inode.size
    return inode.size, sha256(inode.open().read()).digest()


def _attributes(xfs: XFS, inode: INode) -> Iterator[tuple[bytes, bytes]]:
    """The extended attributes, which dissect.xfs does not read."""
    core = inode.inode
    if not core.di_forkoff:
        return
    fork = inode._buf.getvalue()[_LITERAL + 8 * core.di_forkoff :]
    if core.di_aformat == 1:
        yield from _short_attributes(fork)
        return
    blocks = list(_fork_blocks(xfs, inode, fork))
    for block in blocks:
        if struct.unpack_from(">H", block, 8)[0] == 0x3BEE and block[:4] != b"XARM":
            yield from _leaf_attributes(block, blocks)


def _short_attributes(fork: bytes) -> Iterator[tuple[bytes, bytes]]:
    count, at = fork[2], 4
    for _ in range(count):
        name, value, flags = fork[at : at + 3]
        at += 3
        yield _NAMESPACES[flags] + fork[at : at + name], fork[at + name : at + name + value]
        at += name + value


def _leaf_attributes(block: bytes, blocks: list[bytes]) -> Iterator[tuple[bytes, bytes]]:
    (count,) = struct.unpack_from(">H", block, 56)
    for index in range(count):
        _, at, flags = struct.unpack_from(">IHB", block, 80 + 8 * index)
        if flags & 1:
            value, name = struct.unpack_from(">HB", block, at)
            start = at + 3
            content = block[start + name : start + name + value]
        else:
            place, value, name = struct.unpack_from(">IIB", block, at)
            start = at + 9
            content = b"".join(each[56:] for each in blocks[place : place + -(-value // 4040)])[:value]
        yield _NAMESPACES[flags & ~1] + block[start : start + name], content


def _fork_blocks(xfs: XFS, inode: INode, fork: bytes) -> Iterator[bytes]:
    """The blocks of the attribute fork, whose extents are a list or a tree."""
    if inode.inode.di_aformat == 2:
        extents = [parse_fsblock(fork[16 * index : 16 * index + 16]) for index in range(inode.attr_extents)]
    else:
        _, count = struct.unpack_from(">HH", fork)
        pointers = struct.unpack_from(f">{count}Q", fork, 4 + 8 * ((len(fork) - 4) // 16))
        extents = [extent for pointer in pointers for extent in inode.ag.walk_extents(pointer)]
    for _, start, count, _ in extents:
        group, within = fsb_to_bb(start, xfs.sb.sb_agblklog)
        yield from _blocks(xfs.fh, group * xfs.sb.sb_agblocks + within, count)


def _blocks(file: BinaryIO, start: int, count: int) -> Iterator[bytes]:
    for block in range(start, start + count):
        file.seek(block * _BLOCK)
        yield file.read(_BLOCK)
