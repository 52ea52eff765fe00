"""The stand-in layer, in three stages that are each kept: packages, tree, archive."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path

from tests.layer import debian, store
from tests.layer.debian import say
from tests.layer.packing import pack
from tests.layer.recipe import HERE, ROOTFS, Recipe, Request, read_recipe
from tests.layer.sandbox import check_privileges, run_as_root


def build(request: Request, *, refresh: bool = False) -> Path:
    """The archive of the layer that was asked for; made if it is not in the cache.

    `refresh` looks which versions Debian has now; else those of the last time are used again.
    """
    request.check()
    recipe = read_recipe()
    if not refresh and (archive := _kept(request, recipe)):
        return archive
    check_privileges()
    with store.locked():
        store.sweep()
        packages = _make_packages(recipe, refresh)
        tree = _make_tree(packages)
        return _make_archive(request, recipe, packages, tree)


def _kept(request: Request, recipe: Recipe) -> Path | None:
    """The archive if it is there: reads only, so that a cache root has made serves every user."""
    known = _known(recipe)
    if not known.exists():
        return None
    tree = _tree_path(_packages_path(recipe, json.loads(known.read_text())))
    archive = _archive_path(request, recipe, tree)
    return archive if archive.exists() else None


def _known(recipe: Recipe) -> Path:
    return store.layers() / f"stages/versions-{_asked(recipe)}.json"


def _asked(recipe: Recipe) -> str:
    asked = [recipe.packages, recipe.excluded, recipe.included, recipe.suite, recipe.grub_pin]
    return store.key(asked, store.source("debian.py"))


def _packages_path(recipe: Recipe, versions: Mapping[str, str]) -> Path:
    return store.layers() / f"stages/packages-{store.key(_asked(recipe), versions)}.tar"


def _tree_path(packages: Path) -> Path:
    name = store.key(packages.name, HERE / "recipe.toml", ROOTFS, store.source("convert.py"))
    return packages.with_name(f"tree-{name}.tar")


def _archive_path(request: Request, recipe: Recipe, tree: Path) -> Path:
    sources = store.source("contract.py", "oci.py", "packing.py", "rpmdb.py", "tree.py")
    asked = [request.flavour, request.form, request.variant, request.full_version]
    return store.layers() / store.key(tree.name, sources, asked, recipe.rpms) / request.file_name


def _make_packages(recipe: Recipe, refresh: bool) -> Path:
    known = _known(recipe)
    if known.exists() and not refresh:
        path = _packages_path(recipe, json.loads(known.read_text()))
        if path.exists():
            return path
    mirror = debian.find_mirror()
    say(f"asking {mirror.main} which versions there are")
    versions = debian.resolve_versions(recipe, mirror)
    path = _packages_path(recipe, versions)
    with _timed(f"{len(versions)} packages, GRUB {versions['grub-pc-bin']}"):
        store.made(path, lambda output: debian.bootstrap(recipe, mirror, output))
    known.unlink(missing_ok=True)
    store.made(known, lambda output: _write_json(output, versions))
    return path


def _write_json(path: Path, document: object) -> None:
    path.write_text(json.dumps(document, indent=1, sort_keys=True))


def _make_tree(packages: Path) -> Path:
    path = _tree_path(packages)
    if path.exists():
        return path
    with _timed("tree of a CoreOS layer, initramfs"):
        return store.made(path, lambda output: _convert(packages, output))


def _convert(packages: Path, output: Path) -> None:
    run_as_root("convert", [packages, output])


def _make_archive(request: Request, recipe: Recipe, packages: Path, tree: Path) -> Path:
    path = _archive_path(request, recipe, tree)
    if path.exists():
        return path
    scratch = store.layers()
    with _timed(request.file_name):
        return store.made(
            path, lambda output: pack(request, recipe, packages, tree, scratch=scratch, output=output)
        )


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
