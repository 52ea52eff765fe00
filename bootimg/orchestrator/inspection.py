"""Describes an image or a build as it declares itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from bootimg.builds.companions import COMPANIONS, companions
from bootimg.builds.find import Build
from bootimg.cache import Cache
from bootimg.checks.livemedia.livesystem import iso_packages
from bootimg.disk.extents import FileSource
from bootimg.errors import BootimgError
from bootimg.events import Events
from bootimg.layer.declared.facts import read_facts
from bootimg.layer.declared.imagejson import PATH as IMAGE_JSON
from bootimg.layer.image.encapsulation import encapsulation
from bootimg.layer.image.fetched import Image
from bootimg.layer.tree.merged import open_tree
from bootimg.live.reading.describe import describe_initramfs, describe_iso, describe_rootfs
from bootimg.live.reading.region import Region
from bootimg.orchestrator.recipes.installation import kernel_arguments
from bootimg.rpmdb.package import Package
from bootimg.rpmdb.read import read_packages
from bootimg.targets import LIVE
from bootimg.untrusted.budget import Budget
from bootimg.untrusted.jsonfile import find_object
from bootimg.untrusted.limits import DEFAULT, Limits

Json = dict[str, Any]


def inspect_image(image: Image, cache: Cache, events: Events) -> Json:
    """A fetched image as a document.

    If no disk can be made from the image, `layer` is None and `problem` is the error.  `commit` and
    `derived-layers` describe an image that contains an ostree commit.  `packages` is None if the image has no
    package database, or an unreadable one, which is a warning.
    """
    document: Json = {
        "kind": "image",
        "reference": image.reference,
        "digest": image.digest,
        "arch": str(image.arch),
        "version": image.version,
        "osname": image.osname,
        "layers": len(image.layers),
        "size": image.size,
        "labels": dict(image.labels),
        "packages": None,
        "layer": None,
        "problem": None,
    }
    tree = open_tree(image, cache, events)
    document["packages"] = _packages(lambda: read_packages(tree, cache.folder("tmp")), events)
    form = encapsulation(image)
    try:
        facts = read_facts(image, tree)
    except BootimgError as error:
        document["problem"] = error.as_dict()
        return document
    document["layer"] = {
        "form": _form(len(image.layers), None if form is None else form.base),
        "commit": None if form is None else form.commit,
        "derived-layers": 0 if form is None else len(image.layers) - form.base,
        "files": len(tree.entries),
        "tree-size": tree.size,
        "stream": facts.stream,
        "kernel": facts.kernel_version,
        "kernel-arguments": list(kernel_arguments(facts)),
        "selinux-policy": facts.selinux_policy,
        "bootupd": facts.has_bootupd,
        "os-release": dict(facts.os_release),
        "image-json": find_object(tree.read(IMAGE_JSON)),
    }
    return document


def _packages(read: Callable[[], list[Package] | None], events: Events) -> list[Json] | None:
    try:
        packages = read()
    except BootimgError as error:
        if error.id == "image-over-budget":
            raise
        events.message("; ".join((f"{error.id}: {error.message}", *error.context)), "warning")
        return None
    return None if packages is None else [_package(each) for each in packages]


def _package(package: Package) -> Json:
    fields = ("name", "epoch", "version", "release", "arch", "nevra")
    return {name: getattr(package, name) for name in fields}


def _form(layers: int, base: int | None) -> str:
    if base is None:
        return "plain"
    return "encapsulated" if base == layers else "derived"


def inspect_iso(iso: Path, folder: Path, events: Events, budget: Budget) -> Json:
    """An uncompressed live ISO as a document; `folder` is a scratch folder.

    `packages` is None if the ISO has no package database, or one that cannot be read, which is a warning.
    Errors: those of `describe_iso`.
    """
    return {
        **describe_iso(iso, budget),
        "packages": _packages(lambda: iso_packages(iso, folder, budget), events),
    }


def inspect_build(build: Build, limits: Limits = DEFAULT) -> Json:
    """A build as a document: the content of its meta.json, which of its files exist, its live media.

    `live` is None if the folder has no live media; what cannot be read has the error as its `problem`.
    """
    return {
        "kind": "build",
        "build": build.id,
        "arch": str(build.arch),
        "path": str(build.path),
        "name": build.meta.get("name"),
        "version": build.meta.get("ostree-version"),
        "commit": build.meta.get("ostree-commit"),
        "images": {
            key: {**entry, "present": (build.path / str(entry["path"])).is_file()}
            for key, entry in build.images.items()
        },
        **_companions(build),
        "live": _live(build, limits),
    }


def _live(build: Build, limits: Limits) -> Json | None:
    """The ISO, and initramfs and rootfs image for network boots; None for a file that does not exist."""
    there = {key: build.path / str(entry["path"]) for key, entry in build.images.items()}
    files = {key: path for key, path in there.items() if path.is_file()}
    iso, kernel, initramfs, rootfs = (files.get(file.key) for file in LIVE.files)
    if not (iso or kernel or initramfs or rootfs):
        return None
    return {
        "iso": _iso(iso, limits) if iso else None,
        "initramfs": _live_file(initramfs, describe_initramfs, limits) if initramfs else None,
        "rootfs": _live_file(rootfs, describe_rootfs, limits) if rootfs else None,
    }


def _iso(path: Path, limits: Limits) -> Json:
    try:
        return {**describe_iso(path, Budget(limits)), "problem": None}
    except BootimgError as error:
        return {"kind": "iso", "path": str(path), "problem": error.as_dict()}


def _live_file(path: Path, describe: Callable[[Region, Budget], Json], limits: Limits) -> Json:
    with FileSource(path) as source:
        return describe(Region(source, 0, source.size), Budget(limits))


def _companions(build: Build) -> Json:
    """SBOM and provenance by their keys; None for one that the build does not have."""
    found = companions(build.path)
    there = {
        key: {**each.as_dict(), "present": (build.path / each.path).is_file()} for key, each in found.items()
    }
    return {key: there.get(key) for key in COMPANIONS}
