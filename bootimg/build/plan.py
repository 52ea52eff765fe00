"""What a build would do, from what is there already; to find out changes nothing.

The tree of the layer is opened only where that reads what is in the cache.  Without it the steps
after `layers` cannot be told exactly, and sizes are guesses: `exact` says which of the two it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bootimg.atomic import temporary_folder
from bootimg.build.bases import BaseDisk, base_key, find_base, why_no_base
from bootimg.build.compression import artifact_compressor
from bootimg.build.extensions import STEP as EXTENSIONS_STEP
from bootimg.build.extensions import extensions_name
from bootimg.build.install import labelled_by_bootc
from bootimg.build.prepare import Layer, read_layer
from bootimg.build.pure import require_pure
from bootimg.build.recipe import make_recipes
from bootimg.build.refusals import refuse_other_stream, refuse_undeployable
from bootimg.build.request import Builder, Request
from bootimg.build.selection import EXTENSIONS, NOTHING, Selection
from bootimg.build.space import Space, appliance_bytes, base_bytes, fetch_bytes, tree_bytes
from bootimg.build.timings import Timings, timed_as
from bootimg.build.tools import tool_tree_path
from bootimg.build.variables import target_imgref
from bootimg.builds.build import BuildDir
from bootimg.builds.layout import artifact_name, ociarchive_name
from bootimg.cache import Cache
from bootimg.checks.system import system_of_image
from bootimg.errors import BootimgError
from bootimg.events import Events
from bootimg.formats import Compressor
from bootimg.formats.packagers import spools
from bootimg.layer.blobs import BlobStore
from bootimg.layer.facts import version_of
from bootimg.layer.fetch import inspect
from bootimg.layer.image import Image
from bootimg.layer.importer import is_imported
from bootimg.layer.tars import is_open
from bootimg.layer.tree import is_open_tree, open_tree
from bootimg.manifest.recipe import Recipe
from bootimg.osbuild.program import require_osbuild
from bootimg.platform import Platform
from bootimg.sizes import format_size
from bootimg.vm.probe import known_accelerator


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A step; `why` it will run, or what makes that needless where it is `cached`.

    `seconds` is what it took last time on this machine, 0 where it is cached, None where nobody knows.
    """

    name: str
    cached: bool
    why: str
    seconds: float | None


@dataclass(frozen=True, slots=True)
class PlannedArtifact:
    """An artifact by its key in meta.json; `virtual_size` is the disk's in bytes, where it is known."""

    key: str
    name: str
    virtual_size: int | None
    cached: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A build that was not made.  `accelerator` is None where KVM was not tested yet."""

    image: Image
    version: str
    exact: bool
    accelerator: str | None
    accelerator_reason: str
    steps: tuple[PlannedStep, ...]
    artifacts: tuple[PlannedArtifact, ...]
    spaces: tuple[Space, ...]
    selection: Selection = NOTHING

    @property
    def seconds(self) -> float:
        """What the steps will take that are known."""
        return sum(step.seconds or 0 for step in self.steps)

    @property
    def unknown(self) -> tuple[str, ...]:
        """The steps that never ran here."""
        return tuple(step.name for step in self.steps if step.seconds is None)

    def as_dict(self) -> dict[str, object]:
        """The plan as `bootimg plan --json` prints it; sizes in bytes."""
        return {
            "layer": {
                "reference": self.image.reference,
                "digest": self.image.digest,
                "version": self.version,
                "arch": str(self.image.arch),
                "size": self.image.size,
            },
            "exact": self.exact,
            "accelerator": {"name": self.accelerator, "reason": self.accelerator_reason},
            "steps": [
                {"step": step.name, "cached": step.cached, "why": step.why, "seconds": step.seconds}
                for step in self.steps
            ],
            "seconds": round(self.seconds, 3),
            "seconds-unknown": list(self.unknown),
            "artifacts": [
                {
                    "key": artifact.key,
                    "name": artifact.name,
                    "virtual-size": artifact.virtual_size,
                    "cached": artifact.cached,
                }
                for artifact in self.artifacts
            ],
            "space": [
                {"for": space.purpose, "path": str(space.path), "need": space.need, "free": space.free}
                for space in self.spaces
            ],
            **self.selection.as_dict(),
        }


def make_plan(request: Request, cache: Cache) -> Plan:
    """The plan for a request; refuses what `build` would refuse, as far as that can be seen already."""
    if request.builder is Builder.OSBUILD:
        require_osbuild()
    image = inspect(request.reference, request.arch, request.registry)
    refuse_other_stream(request, image)
    if not is_open_tree(image, cache):
        return plan_of(request, image, None, cache)
    layer = read_layer(request, image, open_tree(image, cache, Events()))
    with temporary_folder("bootimg-plan-") as folder:
        require_pure(request, layer, system_of_image(image, layer.tree, folder), Events())
    refuse_undeployable(request, layer)
    return plan_of(request, image, layer, cache)


def plan_of(request: Request, image: Image, layer: Layer | None, cache: Cache) -> Plan:
    """The plan for an image whose layer is opened, or not."""
    survey = _Survey(request, image, layer, cache)
    name, reason = _accelerator(request, cache)
    return Plan(
        image=image,
        version=survey.version,
        exact=layer is not None,
        accelerator=name,
        accelerator_reason=reason,
        steps=tuple(survey.steps()),
        artifacts=tuple(survey.artifacts()),
        spaces=survey.spaces(),
        selection=request.selection,
    )


def _accelerator(request: Request, cache: Cache) -> tuple[str | None, str]:
    try:
        found = known_accelerator(request.accelerator, cache)
    except BootimgError as error:
        return None, error.message
    return (found.name, found.reason) if found else (None, "not probed yet")


class _Survey:
    """What is there of one build and what is not."""

    def __init__(self, request: Request, image: Image, layer: Layer | None, cache: Cache) -> None:
        self.request, self.image, self.layer, self.cache = request, image, layer, cache
        self.version = version_of(image)
        self.build = BuildDir(request.builds, self.version, request.arch)
        self.timings = Timings(cache, timed_as(request.accelerator, cache))
        self.wanted = [each for each in request.platforms if not self._has(each.image_key)]
        self.recipes = _recipes(request, layer) if layer else {}
        self.keys: dict[int, str] = {}
        for size in {platform.sector_size for platform in self.wanted} & self.recipes.keys():
            assert layer
            self.keys[size] = base_key(self.recipes[size], image.digest, layer.tree.digest, request.deploy)
        self.bases: dict[int, BaseDisk | None] = {
            size: find_base(cache, key) for size, key in self.keys.items()
        }
        self.imported = self._is_imported()
        self.by_osbuild = request.builder is Builder.OSBUILD

    def _has(self, key: str) -> bool:
        return not self.request.force and self.build.has(key)

    def _is_imported(self) -> bool:
        if self.layer is None:
            return False
        imgref = target_imgref(self.request, self.image, self.layer.facts)
        return is_imported(self.image, repo=self.cache.root / "repo", cache=self.cache, imgref=imgref)

    def steps(self) -> Iterator[PlannedStep]:
        lacking, layers = BlobStore(self.cache).lacking(self.image), self.image.layers
        closed = sum(not is_open(blob, self.cache) for blob in layers)
        size = format_size(sum(blob.size for blob in lacking))
        yield self._step(
            "fetch", f"{len(lacking)} of {len(layers)} layers missing, {size}" if lacking else None
        )
        yield self._step(
            "layers", f"{closed} of {len(layers)} layers not decompressed yet" if closed else None
        )
        yield self._step("import", None if self.imported else self._unread or "not imported yet")
        yield self._step("archive", self._why_made("ostree"), "made already")
        if self.request.selection.extensions:
            yield self._step(EXTENSIONS_STEP, self._why_made(EXTENSIONS), "made already")
        if self.by_osbuild:
            why = "osbuild keeps its own checkpoints" if self.wanted else None
            yield self._step("osbuild", why, "no image needs it")
        else:
            yield self._step("base", self._why_base(), "kept" if self.wanted else "no image needs it")
        for platform in self.request.platforms:
            yield self._step(platform.name, self._why_made(platform.image_key), "made already")

    def _step(self, name: str, why: str | None, cached: str = "in the cache") -> PlannedStep:
        if why is None:
            return PlannedStep(name, True, cached, 0.0)
        return PlannedStep(name, False, why, self.timings.seconds(name))

    @property
    def _unread(self) -> str:
        return "" if self.layer else "the layer is not read yet"

    def _why_made(self, key: str) -> str | None:
        if self._has(key):
            return None
        if key not in self.build.meta.read().get("images", {}):
            return "not made yet"
        return "--force" if self.build.has(key) else "its file is missing or has another size"

    def _why_base(self) -> str | None:
        if not self.wanted:
            return None
        if self.layer is None:
            return self._unread
        digest, tools, way = self.image.digest, self.layer.tree.digest, self.request.deploy
        for size in self._missing():
            return why_no_base(self.cache, self.keys[size], self.recipes[size], digest, tools, way)
        return None

    def _missing(self) -> list[int]:
        """The sector sizes of base disks that are to be made."""
        return sorted(size for size, base in self.bases.items() if base is None)

    def artifacts(self) -> Iterator[PlannedArtifact]:
        osname, arch = self.image.osname, self.request.arch
        archive = ociarchive_name(osname, self.version, arch)
        yield PlannedArtifact("ostree", archive, None, self._has("ostree"))
        if self.request.selection.extensions:
            name = extensions_name(osname, self.version, arch)
            yield PlannedArtifact(EXTENSIONS, name, None, self._has(EXTENSIONS))
        for each in self.request.platforms:
            suffix = each.suffix + self._compressor(each).suffix
            name = artifact_name(osname, self.version, each.name, arch, suffix)
            yield PlannedArtifact(each.image_key, name, self._virtual_size(each), self._has(each.image_key))

    def _compressor(self, platform: Platform) -> Compressor:
        if self.layer is None or self.by_osbuild:
            return Compressor.NONE
        return artifact_compressor(self.request, platform, self.layer.facts.image_json)

    def _virtual_size(self, platform: Platform) -> int | None:
        recipe = self.recipes.get(platform.sector_size)
        return (recipe.platforms[platform.name].size or recipe.disk.size) if recipe else None

    def spaces(self) -> tuple[Space, Space]:
        tree = self.layer.tree if self.layer else None
        labelled = self.layer is not None and labelled_by_bootc(self.layer.facts)
        files, disk = tree_bytes(self.image, tree), base_bytes(self.image, tree, labelled_by_bootc=labelled)
        in_cache = fetch_bytes(self.image, self.cache)
        in_cache += 0 if self.imported else files
        if self.wanted and self.by_osbuild:
            # The archive twice and the tree twice, then the disk, and each platform's before conversion.
            in_cache += 2 * self.image.size + 2 * files + disk * (1 + 2 * len(self.wanted))
        elif self.wanted and (self._missing() or self.layer is None):
            # The base disks, and while they are made the commit as a file system image.
            in_cache += disk * max(1, len(self._missing())) + files + appliance_bytes(self.cache)
            in_cache += 0 if tree and tool_tree_path(tree, self.cache).exists() else files
        base = next((each for each in self.bases.values() if each), None)
        used = _used(base.path) if base and not self.by_osbuild else disk
        in_builds = sum(used * (2 if spools(each) else 1) for each in self.wanted)
        in_builds += 0 if self._has("ostree") else self.image.size
        return (
            Space("cache", self.cache.root, in_cache),
            Space("builds", self.request.builds.absolute(), in_builds),
        )


def _recipes(request: Request, layer: Layer) -> dict[int, Recipe]:
    # Neither the archive's path nor its digest decides anything but where osbuild would find it.
    return make_recipes(request, layer, Path("layer.ociarchive"), "0" * 64)


def _used(path: Path) -> int:
    return path.stat().st_blocks * 512
