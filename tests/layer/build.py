"""The stand-in layer, in three stages that are each kept: packages, tree, archive."""

from __future__ import annotations

import hashlib
import json
import tarfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.layer import contract, debian, rpmdb, store
from tests.layer.debian import say
from tests.layer.oci import Blob, Compression, write_archive, write_layer
from tests.layer.recipe import HERE, ROOTFS, SOURCE_DATE_EPOCH, Recipe, Request, Variant, read_recipe
from tests.layer.sandbox import run_as_root
from tests.layer.tree import Change, Tree, difference, file_node, put, read_tree, select

# What the `changed` variant has another build of.
CHANGED_PACKAGE = "dosfstools"
CHANGED_FILES = ("usr/sbin/fatlabel", "usr/sbin/fsck.fat", "usr/sbin/mkfs.fat")

_KERNEL_LAYER = ("usr/lib/modules", "usr/lib/grub", "usr/lib/efi")
_NEVER = ("boot", "dev", "proc", "run", "sys", "tmp", "var")


def build(request: Request, *, refresh: bool = False) -> Path:
    """The archive of the layer that was asked for; made if it is not in the cache.

    `refresh` looks which versions Debian has now; else those of the last time are used again.
    """
    request.check()
    recipe = read_recipe()
    with store.locked():
        packages = _packages(recipe, refresh)
        tree = _tree(packages)
        return _archive(request, recipe, packages, tree)


def _packages(recipe: Recipe, refresh: bool) -> Path:
    stages = store.layers() / "stages"
    asked = store.key([recipe.packages, recipe.excluded, recipe.included, recipe.suite, recipe.grub_pin],
                      store.source("debian.py"))  # fmt: skip
    known = stages / f"versions-{asked}.json"
    if known.exists() and not refresh:
        path = _packages_path(stages, asked, json.loads(known.read_text()))
        if path.exists():
            return path
    mirror = debian.find_mirror()
    say(f"asking {mirror.main} which versions there are")
    versions = debian.resolve_versions(recipe, mirror)
    path = _packages_path(stages, asked, versions)
    with _timed(f"{len(versions)} packages, GRUB {versions['grub-pc-bin']}"):
        store.made(path, lambda output: debian.bootstrap(recipe, mirror, output))
    known.unlink(missing_ok=True)
    store.made(known, lambda output: _write_json(output, versions))
    return path


def _packages_path(stages: Path, asked: str, versions: Mapping[str, str]) -> Path:
    return stages / f"packages-{store.key(asked, versions)}.tar"


def _write_json(path: Path, document: object) -> None:
    path.write_text(json.dumps(document, indent=1, sort_keys=True))


def _tree(packages: Path) -> Path:
    name = store.key(packages.name, HERE / "recipe.toml", ROOTFS, store.source("convert.py"))
    path = packages.with_name(f"tree-{name}.tar")
    if path.exists():
        return path
    with _timed("tree of a CoreOS layer, initramfs"):
        return store.made(path, lambda output: _convert(packages, output))


def _convert(packages: Path, output: Path) -> None:
    run_as_root("convert", [packages, output])


def _archive(request: Request, recipe: Recipe, packages: Path, tree: Path) -> Path:
    sources = store.source("build.py", "contract.py", "oci.py", "rpmdb.py", "tree.py")
    asked = [request.flavour, request.form, request.variant, request.full_version]
    name = store.key(tree.name, sources, asked, recipe.rpms)
    path = store.layers() / name / request.file_name
    if path.exists():
        return path
    with _timed(request.file_name):
        return store.made(path, lambda output: _write(request, recipe, packages, tree, output))


def _write(request: Request, recipe: Recipe, packages: Path, tree: Path, output: Path) -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="layers.", dir=store.layers())))
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


class _timed:
    """Say what is being made, and how long it took."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        self._started = time.monotonic()
        say(f"making: {self._what}")

    def __exit__(self, *exc: object) -> None:
        if exc[0] is None:
            say(f"made in {time.monotonic() - self._started:.0f} s")
