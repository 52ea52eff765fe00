"""The tree that the layer of a request holds: the converted tree and what the layer says about itself."""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from bootimg.arch import Arch
from tests.layer import contract, rpmdb
from tests.layer.recipe import Recipe, Request, Variant
from tests.layer.tree import Node, Tree, file_node, put, read_tree

# What the `changed` variant has another build of.
CHANGED_PACKAGE = "dosfstools"
CHANGED_FILES = ("usr/sbin/fatlabel", "usr/sbin/fsck.fat", "usr/sbin/mkfs.fat")


@dataclass(frozen=True)
class Content:
    """The converted tree, as it is before anything in it depends on the request."""

    recipe: Recipe
    tree: Tree
    input_hash: str

    @property
    def kernel(self) -> str:
        """The version of the one kernel."""
        (path,) = (
            path for path in self.tree if path.startswith("usr/lib/modules/") and path.endswith("/vmlinuz")
        )
        return path.split("/")[3]

    @property
    def rpm_versions(self) -> dict[str, rpmdb.Evr]:
        """What the RPM database lists."""
        debian = rpmdb.installed_versions(self.tree["usr/share/dpkg-db/status"].read().decode())
        versions = {rpm: debian[package] for rpm, package in self.recipe.rpms.items()}
        versions.update(self.recipe.tool_rpms)
        return {rpm: rpmdb.Evr.of_debian(version) for rpm, version in versions.items()}

    def base(self, request: Request) -> Tree:
        """The tree of what a request is a change of; of itself if it is none."""
        if request.variant is Variant.CHANGED:
            request = replace(request, variant=Variant.BASE, version="")
        return self._described(self.tree, request, self.rpm_versions)

    def complete(self, request: Request) -> Tree:
        """The tree of a request."""
        if request.variant is not Variant.CHANGED:
            return self.base(request)
        tree = self._described(self.tree, request, self.versions(request))
        for path in CHANGED_FILES:
            tree[path] = touched(tree[path], request.full_version)
        return tree

    def versions(self, request: Request) -> dict[str, rpmdb.Evr]:
        """What the RPM database of a request lists."""
        versions = self.rpm_versions
        return rebuilt(versions, CHANGED_PACKAGE) if request.variant is Variant.CHANGED else versions

    def labels(self, request: Request) -> dict[str, str]:
        """The labels of a request's image, ostree's among them."""
        return contract.labels(request, self.kernel, self.input_hash)

    def _described(self, tree: Tree, request: Request, versions: Mapping[str, rpmdb.Evr]) -> Tree:
        described = dict(tree)
        for path, content in contract.files(request).items():
            xattrs = {"user.mime_type": "application/json"} if path.endswith(".json") else {}
            put(described, path, file_node(path, content, xattrs=xattrs))
        put(described, rpmdb.PATH, rpmdb_node(versions, request.arch))
        return described


@contextmanager
def opened(recipe: Recipe, tree: Path) -> Iterator[Content]:
    """The content of a converted tree's tar file, which stays open as long."""
    with tarfile.open(tree) as archive:
        input_hash = hashlib.sha256(tree.name.encode()).hexdigest()
        yield Content(recipe, read_tree(archive, lambda path: True), input_hash)


def rpmdb_node(versions: Mapping[str, rpmdb.Evr], arch: Arch = Arch.X86_64) -> Node:
    """The RPM database that lists these versions."""
    return file_node(rpmdb.PATH, rpmdb.make_rpmdb(versions, arch))


def rebuilt(versions: Mapping[str, rpmdb.Evr], package: str) -> dict[str, rpmdb.Evr]:
    """The versions after another build of one package."""
    evr = versions[package]
    return {**versions, package: replace(evr, release=f"{evr.release}.1")}


def touched(node: Node, mark: str) -> Node:
    """Another build of a program: what follows the sections of an ELF file does no harm."""
    return replace(node, read=_constant(node.read() + f"\n{mark}\n".encode()))


def _constant(content: bytes) -> Callable[[], bytes]:
    return lambda: content
