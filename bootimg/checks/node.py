"""A node image and the layer that it is built on: what they share, and what the node image adds.

OpenShift makes a node image FROM the layer (openshift/os, build-node-image.sh).  The bootstrap machine
pulls it and mounts its /usr (openshift/installer, node-image-pull.sh and node-image-overlay.sh).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bootimg.arch import Arch
from bootimg.checks.system import System, system_of_image
from bootimg.layer.image.fetched import Image
from bootimg.layer.tree.merged import Tree
from bootimg.rpmdb.lists import difference, versions
from bootimg.sizes import GIB, MIB

_BOOT_PARTITIONS = 513 * MIB
"""What a disk has besides the root: three partitions, and 1 MiB after the last one."""
_TMPFS, _LARGE_TMPFS = 5 * GIB, 6 * GIB
"""The size of var-ostreecontainer.mount in a live system; on ppc64le the kernel is not compressed."""


@dataclass(frozen=True, slots=True)
class OpenedImage:
    """An image, its tree and its system."""

    image: Image
    tree: Tree
    system: System

    @classmethod
    def of(cls, image: Image, tree: Tree, folder: Path) -> OpenedImage:
        """The opened image; `folder` is for a temporary copy of the package database."""
        return cls(image, tree, system_of_image(image, tree, folder))


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeOnBase:
    """What a node image shares with a base and adds to it; sizes are bytes of files.

    `packages` is the difference as `rpmdb diff` prints it.  `disk_free` is the free space on the smallest
    known disk of the base, None if no size is known.  `live_space` is the file system in memory into which a
    live system pulls the node image.
    """

    base: str
    layers: int
    layers_shared: int
    packages: Mapping[str, Any]
    size: int
    size_added: int
    disk_free: int | None
    live_space: int

    def as_dict(self) -> dict[str, Any]:
        """The value of `node` as `verify --json` prints it."""
        return {
            "base": self.base,
            "layers": self.layers,
            "layers-shared": self.layers_shared,
            "packages": dict(self.packages),
            "size": self.size,
            "size-added": self.size_added,
            "disk-free": self.disk_free,
            "live-space": self.live_space,
        }


def node_on_base(node: OpenedImage, base: OpenedImage, disk: int | None) -> NodeOnBase:
    """Compare both; `disk` is the size in bytes of the smallest disk that is made of the base, if known."""
    shared = shared_layers(node.image, base.image)
    added = {
        each.link_key: each.size for each in node.tree.entries.values() if each.layer >= shared and each.size
    }
    return NodeOnBase(
        base=base.image.digest,
        layers=len(node.image.layers),
        layers_shared=shared,
        packages=difference(versions(base.system.packages or ()), versions(node.system.packages or ())),
        size=node.tree.size,
        size_added=sum(added.values()),
        disk_free=None if disk is None else max(0, disk - _BOOT_PARTITIONS - base.tree.size),
        live_space=live_space(node.image.arch),
    )


def live_space(arch: Arch) -> int:
    """The size in bytes of the file system in memory into which a live system pulls a node image."""
    return _LARGE_TMPFS if arch is Arch.PPC64LE else _TMPFS


def shared_layers(node: Image, base: Image) -> int:
    """How many of the node image's first layers are those of the base, however they are compressed."""
    pairs = zip(node.layers, base.layers, strict=False)
    differ = (number for number, (one, other) in enumerate(pairs) if one.diff_id != other.diff_id)
    return next(differ, min(len(node.layers), len(base.layers)))
