"""Packing: the two trees become the layers of an OCI archive."""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.layer import contract, rpmdb
from tests.layer.oci import Blob, Compression, write_archive, write_layer
from tests.layer.recipe import SOURCE_DATE_EPOCH, Recipe, Request, Variant
from tests.layer.tree import Change, Tree, difference, file_node, put, read_tree, select

# What the `changed` variant has another build of.
CHANGED_PACKAGE = "dosfstools"
CHANGED_FILES = ("usr/sbin/fatlabel", "usr/sbin/fsck.fat", "usr/sbin/mkfs.fat")

_KERNEL_LAYER = ("usr/lib/modules", "usr/lib/grub", "usr/lib/efi")
_NEVER = ("boot", "dev", "proc", "run", "sys", "tmp", "var")


def pack(
    request: Request, recipe: Recipe, packages: Path, tree: Path, *, scratch: Path, output: Path
) -> None:
    """Write the archive out of the tar files of the packages and of the converted tree."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="layers.", dir=scratch)))
        lower = read_tree(stack.enter_context(tarfile.open(packages)), _in_base_layer)
        upper = read_tree(stack.enter_context(tarfile.open(tree)), lambda path: True)
        layers = _layers(request, recipe, lower, upper, folder)
        kernel = _kernel(upper)
        input_hash = hashlib.sha256(tree.name.encode()).hexdigest()
        created = datetime.fromtimestamp(SOURCE_DATE_EPOCH, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        write_archive(layers, contract.labels(request, kernel, input_hash), created, folder, output)


def _in_base_layer(path: str) -> bool:
    top = path.partition("/")[0]
    return (top not in _NEVER or path == top) and not _in_kernel_layer(path)


def _in_kernel_layer(path: str) -> bool:
    return any(path == prefix or path.startswith(f"{prefix}/") for prefix in _KERNEL_LAYER)


def _kernel(tree: Tree) -> str:
    (path,) = (path for path in tree if path.startswith("usr/lib/modules/") and path.endswith("/vmlinuz"))
    return path.split("/")[3]


def _layers(request: Request, recipe: Recipe, lower: Tree, upper: Tree, blobs: Path) -> list[Blob]:
    """Debian's packages; kernel, initramfs and bootloader; what CoreOS changes; and the `changed` package."""
    parent = replace(request, variant=Variant.BASE, version="") if _is_changed(request) else request
    versions = _rpm_versions(recipe, upper)
    complete = dict(upper)
    _describe(complete, parent, versions)
    base = Change(lower)
    kernel = difference({}, select(complete, _in_kernel_layer))
    config = difference(kernel.apply(lower), complete)
    layers = [
        write_layer(base, Compression.GZIP, blobs, "packages"),
        write_layer(kernel, Compression.ZSTD, blobs, "kernel and bootloader"),
        write_layer(config, Compression.GZIP, blobs, "CoreOS"),
    ]
    if _is_changed(request):
        change = difference(complete, _changed(complete, request, versions))
        layers.append(write_layer(change, Compression.ZSTD, blobs, f"new build of {CHANGED_PACKAGE}"))
    return layers


def _is_changed(request: Request) -> bool:
    return request.variant is Variant.CHANGED


def _rpm_versions(recipe: Recipe, tree: Tree) -> dict[str, rpmdb.Evr]:
    debian_versions = rpmdb.installed_versions(tree["usr/share/dpkg-db/status"].read().decode())
    return {rpm: rpmdb.Evr.of_debian(debian_versions[package]) for rpm, package in recipe.rpms.items()}


def _describe(tree: Tree, request: Request, versions: Mapping[str, rpmdb.Evr]) -> None:
    for path, content in contract.files(request).items():
        xattrs = {"user.mime_type": "application/json"} if path.endswith(".json") else {}
        put(tree, path, file_node(path, content, xattrs=xattrs))
    put(tree, rpmdb.PATH, file_node(rpmdb.PATH, rpmdb.make_rpmdb(versions)))


def _changed(tree: Tree, request: Request, versions: Mapping[str, rpmdb.Evr]) -> Tree:
    changed = dict(tree)
    evr = versions[CHANGED_PACKAGE]
    _describe(changed, request, {**versions, CHANGED_PACKAGE: replace(evr, release=f"{evr.release}.1")})
    for path in CHANGED_FILES:
        # What follows the sections of an ELF file does no harm: the program is another file, and runs.
        content = tree[path].read() + f"\n{request.full_version}\n".encode()
        changed[path] = replace(tree[path], read=_constant(content))
    return changed


def _constant(content: bytes) -> Callable[[], bytes]:
    return lambda: content
