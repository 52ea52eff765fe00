"""The merged tree as a read-only file system image, which the appliance uses as its `/`."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from bootimg import process
from bootimg.layer.entry import Entry, Kind
from bootimg.layer.tarwriter import END, member, padding
from bootimg.layer.tree import Tree

PACKAGES = "squashfs-tools 4.5 or newer (apt, dnf)"


def write_tool_tree(tree: Tree, output: Path) -> None:
    """Write a squashfs image of the whole tree, owners, modes and xattrs as in the layers.

    Nothing is unpacked: sqfstar reads a tar that is made as it reads.  It is not compressed, for it is
    read once, by a virtual machine without KVM perhaps.
    """
    program = process.require("sqfstar", packages=PACKAGES)
    partial = output.with_name(f".{output.name}.partial")
    partial.unlink(missing_ok=True)
    argv: list[process.Argument] = [program, "-quiet", "-no-progress", "-noI", "-noD", "-noF", "-noX",
                                    "-no-exports", "-mkfs-time", "0", partial]  # fmt: skip
    with process.spawn(
        argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as child:
        assert child.stdin
        assert child.stderr
        try:
            for piece in tar_stream(tree):
                child.stdin.write(piece)
            child.stdin.close()
        except BrokenPipeError:
            pass
        said = child.stderr.read()
        if child.wait():
            raise process.failure(process.Completed(tuple(map(str, argv)), child.returncode, b"", said))
    partial.replace(output)


def tar_stream(tree: Tree) -> Iterator[bytes]:
    """The merged tree as a tar, directories first, each link after the file it names."""
    yield member(replace(tree.root, path="."))
    first: dict[tuple[int, int], str] = {}
    for entry in tree.walk():
        linked = entry.kind is not Kind.DIRECTORY and first.setdefault(entry.link_key, entry.path)
        if linked and linked != entry.path:
            yield member(_link(entry, linked))
            continue
        yield member(entry)
        if entry.size:
            yield from tree.chunks(entry)
            yield padding(entry.size)
    yield END


def _link(entry: Entry, target: str) -> Entry:
    return replace(entry, kind=Kind.HARDLINK, target=target, size=0, xattrs=())
