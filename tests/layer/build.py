"""The stand-in layer, in stages that are each kept: packages, tree, archive."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from bootimg.arch import Arch
from tests.layer import (
    chunked,
    composefs,
    coreos,
    debian,
    derived,
    emulation,
    encapsulated,
    packing,
    store,
    tools,
)
from tests.layer.content import Content, opened
from tests.layer.debian import say
from tests.layer.progress import timed
from tests.layer.recipe import HERE, ROOTFS, Flavour, Form, Recipe, Request, Variant, read_recipe
from tests.layer.sandbox import as_root, check_privileges, run_as_root

_PACKING = ("content.py", "contract.py", "oci.py", "packing.py", "rpmdb.py", "tree.py")
_SOURCES = {
    Form.PLAIN: _PACKING,
    Form.CHUNKED: (*_PACKING, "chunks.py", "chunked.py"),
    Form.ENCAPSULATED: (*_PACKING, "chunks.py", "commit.py", "encapsulated.py"),
    Form.DERIVED: (*_PACKING, "chunks.py", "commit.py", "derived.py", "encapsulated.py", "oci_derived.py"),
}


def build(request: Request, *, refresh: bool = False) -> Path:
    """The archive of the layer that was asked for; made if it is not in the cache.

    `refresh` looks which versions Debian has now; else those of the last time are used again.
    """
    request.check()
    recipe = _recipe(request)
    if not refresh and (archive := _kept(request, recipe)):
        return archive
    check_privileges(request.arch)
    for name in needed_tools(request):
        tools.tool(name)
    with store.locked(store.layers()):
        store.sweep(store.layers(), "layers.*", "stages/tree.*")
        packages = _make_packages(recipe, refresh)
        tree = _make_tree(request, recipe, packages)
        return _make_archive(request, recipe, packages, tree)


def needed_tools(request: Request) -> tuple[str, ...]:
    """The compiled tools that a request takes."""
    encapsulating = (tools.OSTREE_EXT,) if request.form.is_ostree else ()
    return tuple(dict.fromkeys((*encapsulating, *read_recipe(request.flavour).tools)))


def why_not(request: Request) -> str | None:
    """Why a layer cannot be had here, as far as its compiled tools and its architecture go.

    None if it is there or can be made.
    """
    if _kept(request, _recipe(request)):
        return None
    if reason := emulation.why_not(request.arch):
        return reason
    needed = needed_tools(request)
    return tools.why_not(*needed) if needed else None


def _recipe(request: Request) -> Recipe:
    return read_recipe(request.flavour, request.variant, request.arch)


def _kept(request: Request, recipe: Recipe) -> Path | None:
    """The archive if it is there: reads only, so that a cache root has made serves every user."""
    known = _known(recipe)
    if not known.exists():
        return None
    packages = _packages_path(recipe, json.loads(known.read_text()))
    archive = _archive_path(request, recipe, _tree_path(request, recipe, packages))
    return archive if archive.exists() else None


def _known(recipe: Recipe) -> Path:
    return store.layers() / f"stages/versions-{_asked(recipe)}.json"


def _asked(recipe: Recipe) -> str:
    asked = [recipe.arch, recipe.packages, recipe.excluded, recipe.included, recipe.suite, recipe.grub_pin]
    return store.key(asked, store.source("debian.py"))


def _packages_path(recipe: Recipe, versions: Mapping[str, str]) -> Path:
    return store.layers() / f"stages/packages-{store.key(_asked(recipe), versions)}.tar"


def _tree_path(request: Request, recipe: Recipe, packages: Path) -> Path:
    converted = _converted_path(request.flavour, recipe, packages)
    if request.variant is not Variant.COMPOSEFS:
        return converted
    key = store.key(converted.name, composefs.ROOTFS, store.source("composefs.py"))
    return converted.with_name(f"tree-{key}.tar")


def _converted_path(flavour: Flavour, recipe: Recipe, packages: Path) -> Path:
    sources = store.source("chroot.py", "convert.py")
    parts: list[object] = [packages.name, HERE / "recipe.toml", ROOTFS, sources]
    if flavour is Flavour.COREOS:
        own = (HERE / "coreos.toml", coreos.ROOTFS, store.source("coreos.py"))
        parts += [*own, [tools.location(name).name for name in recipe.tools]]
    return packages.with_name(f"tree-{store.key(*parts)}.tar")


def _archive_path(request: Request, recipe: Recipe, tree: Path) -> Path:
    asked = [request.flavour, request.form, request.variant, request.full_version]
    parts = [tree.name, store.source(*_SOURCES[request.form]), asked, recipe.rpms, recipe.tool_rpms]
    if request.form.is_ostree:
        parts.append(tools.tools()[tools.OSTREE_EXT].version)
    return store.layers() / store.key(*parts) / request.file_name


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
    with timed(f"{len(versions)} packages, GRUB {versions[recipe.grub_package]}"):
        store.made(path, lambda output: _bootstrap(recipe, mirror, output))
    known.unlink(missing_ok=True)
    store.made(known, lambda output: _write_json(output, versions))
    return path


def _bootstrap(recipe: Recipe, mirror: debian.Mirror, output: Path) -> None:
    before = () if emulation.runs_here(recipe.arch) else as_root(recipe.arch)
    debian.bootstrap(recipe, mirror, output, before)


def _write_json(path: Path, document: object) -> None:
    path.write_text(json.dumps(document, indent=1, sort_keys=True))


def _make_tree(request: Request, recipe: Recipe, packages: Path) -> Path:
    path = _tree_path(request, recipe, packages)
    if path.exists():
        return path
    converted = _make_converted(request.flavour, recipe, packages)
    if path == converted:
        return converted
    with timed("tree that boots by composefs, initramfs"):
        return store.made(path, lambda output: _change(converted, output))


def _make_converted(flavour: Flavour, recipe: Recipe, packages: Path) -> Path:
    path = _converted_path(flavour, recipe, packages)
    if path.exists():
        return path
    folders = [tools.location(name) for name in recipe.tools]
    with timed(f"tree of a CoreOS layer ({flavour}), initramfs"):
        return store.made(path, lambda output: _convert(flavour, recipe.arch, packages, output, folders))


def _convert(flavour: Flavour, arch: Arch, packages: Path, output: Path, folders: list[Path]) -> None:
    run_as_root("convert", [packages, output, flavour, arch, *folders], arch)


def _change(converted: Path, output: Path) -> None:
    run_as_root("composefs", [converted, output])


def _make_archive(request: Request, recipe: Recipe, packages: Path, tree: Path) -> Path:
    path = _archive_path(request, recipe, tree)
    if path.exists():
        return path
    base = None
    if request.form is Form.DERIVED:
        base = _make_archive(replace(request, form=Form.ENCAPSULATED), recipe, packages, tree)
    with timed(f"{request.form} {request.file_name}"), opened(recipe, tree) as content:
        return store.made(path, lambda output: _pack(request, content, packages, base, output))


def _pack(request: Request, content: Content, packages: Path, base: Path | None, output: Path) -> None:
    with TemporaryDirectory(prefix="layers.", dir=store.layers()) as name:
        work = Path(name)
        match request.form:
            case Form.PLAIN:
                packing.pack(request, content, packages, work, output)
            case Form.CHUNKED:
                chunked.pack(request, content, work, output)
            case Form.ENCAPSULATED:
                encapsulated.pack(request, content, work, output)
            case Form.DERIVED if base:
                derived.pack(request, content, base, work, output)
