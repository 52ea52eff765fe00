"""The form `derived`: what a Containerfile FROM the encapsulated image gives.

Its layers hold what a container's upper directory would: /etc is in its place, although the commit below
has it as /usr/etc, and what was removed is whited out.
"""

from __future__ import annotations

import tarfile
from pathlib import Path

from tests.layer import rpmdb
from tests.layer.content import Content, rebuilt, rpmdb_node, touched
from tests.layer.oci import Compression, write_layer
from tests.layer.oci_derived import Derived, derive_archive
from tests.layer.packing import CREATED
from tests.layer.recipe import Request
from tests.layer.tree import Change, Node, Tree, difference, file_node, parents, put

REBUILT = "less"
CHANGED = ("usr/bin/less", "etc/issue")
ADDED = {
    "etc/stand-in/derived.conf": b"derived = true\n",
    "usr/lib/stand-in/derived.conf": b"derived = true\n",
    "usr/share/stand-in/added/file": b"added by a derived layer\n",
}
LINK = ("usr/share/stand-in/link", "added/file")
# A file of /usr, one of /etc, a directory.
REMOVED = ("usr/bin/zstdgrep", "etc/skel/.bash_logout", "usr/share/licenses/zstd")


def pack(request: Request, content: Content, base: Path, work: Path, output: Path) -> None:
    """Write the archive; `base` is the encapsulated one, `work` an empty folder."""
    with tarfile.open(base) as archive:
        archive.extractall(work / "base", filter="data")
    blobs = work / "blobs"
    blobs.mkdir()
    tree = content.complete(request)
    change = difference(tree, derive(tree, content, request))
    layers = [
        write_layer(change, Compression.GZIP, blobs, f"RUN dnf -y update {REBUILT} && derive"),
        write_layer(Change({}), Compression.GZIP, blobs, "RUN true"),
    ]
    labels = {"org.opencontainers.image.description": "Derived from Stand-in CoreOS"}
    added = Derived(layers, labels, CREATED, without_layer=["LABEL org.opencontainers.image.description=…"])
    derive_archive(work / "base", added, blobs, output)


def derive(tree: Tree, content: Content, request: Request) -> Tree:
    """The tree after the Containerfile's steps."""
    derived = {path: node for path, node in tree.items() if not _is_removed(path)}
    for path in CHANGED:
        derived[path] = touched(tree[path], f"derived {request.full_version}")
    derived[rpmdb.PATH] = rpmdb_node(rebuilt(content.versions(request), REBUILT))
    for path, data in ADDED.items():
        put(derived, path, file_node(path, data))
    put(derived, LINK[0], Node(tarfile.SYMTYPE, 0o777, 0, 0, target=LINK[1], names=(LINK[0],)))
    return derived


def _is_removed(path: str) -> bool:
    return path in REMOVED or any(parent in REMOVED for parent in parents(path))
