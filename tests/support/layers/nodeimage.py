"""A node image on a stand-in layer: a stub of oc, a unit and files of /etc, in layers on top."""

from __future__ import annotations

import tarfile
from pathlib import Path

from tests.layer.oci import Compression, write_layer
from tests.layer.oci_derived import Derived, derive_archive
from tests.layer.packing import CREATED
from tests.layer.tree import Change, Node, Tree, file_node, put

OC = "Client Version: 4.20.0-stub"
ONLY_NODE = "etc/of-the-node-image"
BOTH = "etc/of-node-image-and-user"
"""A file that the user's Ignition config writes too."""
CHANGED = "etc/issue"
"""A file that the base has as well."""
MARKER = "usr/lib/modules/of-the-node-image"
UNIT = "of-the-node-image.service"
_LIST = "usr/share/openshift/base/meta.json"
_UNIT = b"""[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/oc version
[Install]
WantedBy=multi-user.target
"""
_FILES = {
    ONLY_NODE: b"by the node image\n",
    BOTH: b"by the node image\n",
    CHANGED: b"A node\n",
    MARKER: b"modules of another kernel\n",
    f"usr/lib/systemd/system/{UNIT}": _UNIT,
}


def node_image(base: Path, folder: Path, *, version: str | None = None) -> Path:
    """An OCI archive FROM the archive `base`, in a new folder; with `version` its label says another base."""
    blobs, below = folder / "blobs", folder / "base"
    blobs.mkdir(parents=True)
    with tarfile.open(base) as archive:
        archive.extractall(below, filter="data")
    layers = [
        write_layer(Change(_content()), Compression.GZIP, blobs, "RUN dnf -y install openshift-clients"),
        write_layer(Change(_tree({_LIST: b"{}"})), Compression.GZIP, blobs, "RUN generate-metadata"),
    ]
    labels = {"io.openshift.metalayer": "true"}
    if version is not None:
        labels["org.opencontainers.image.version"] = version
    output = folder / "node.ociarchive"
    derive_archive(below, Derived(layers, labels, CREATED), blobs, output)
    return output


def _content() -> Tree:
    tree = _tree(_FILES)
    put(tree, "usr/bin/oc", file_node("usr/bin/oc", f"#!/bin/sh\necho '{OC}'\n".encode(), mode=0o755))
    link = f"etc/systemd/system/multi-user.target.wants/{UNIT}"
    target = f"/usr/lib/systemd/system/{UNIT}"
    put(tree, link, Node(tarfile.SYMTYPE, 0o777, 0, 0, target=target, names=(link,)))
    return tree


def _tree(files: dict[str, bytes]) -> Tree:
    tree: Tree = {}
    for path, data in files.items():
        put(tree, path, file_node(path, data))
    return tree
