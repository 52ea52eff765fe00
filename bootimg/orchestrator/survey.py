"""What exists of a build already: in the cache, in the build's folder, and the layer if it is open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bootimg.builds.folder import BuildDir
from bootimg.builds.record import read_record
from bootimg.cache import Cache
from bootimg.layer.declared.facts import version_of
from bootimg.layer.image.fetched import Image
from bootimg.layer.tree.merged import Tree
from bootimg.manifest.recipe import Recipe
from bootimg.orchestrator.basedisk import BaseDisk, base_key, find_base, why_no_base
from bootimg.orchestrator.basedisks.deployway import ChosenWay, choose_way
from bootimg.orchestrator.opening import Opened
from bootimg.orchestrator.recipes.installation import labelled_by_bootc
from bootimg.orchestrator.recipes.prepare import Layer
from bootimg.orchestrator.recipes.recipes import make_recipes
from bootimg.orchestrator.request import Request
from bootimg.orchestrator.space import base_bytes
from bootimg.orchestrator.timings import Timings, timed_as, timed_step
from bootimg.targets import DeclaredTarget

UNREAD = "the layer is not read yet"


@dataclass(frozen=True)
class Survey:
    """What a plan looks at; `opened` is None until the layer is read.  Nothing here changes anything."""

    request: Request
    image: Image
    opened: Opened | None
    cache: Cache

    @property
    def version(self) -> str:
        """The version of the layer, which is the build's id."""
        return version_of(self.image)

    @property
    def layer(self) -> Layer | None:
        """The opened layer."""
        return self.opened.layer if self.opened else None

    @property
    def tree(self) -> Tree | None:
        """The layer's tree."""
        return self.opened.layer.tree if self.opened else None

    @property
    def build(self) -> BuildDir:
        """The build's folder, which need not exist."""
        return BuildDir(self.request.builds, self.version, self.request.arch)

    @property
    def base_bytes(self) -> int:
        """The most bytes that a base disk takes."""
        labelled = self.layer is not None and labelled_by_bootc(self.layer.facts)
        return base_bytes(self.image, self.tree, labelled_by_bootc=labelled)

    @cached_property
    def recipes(self) -> Mapping[int, Recipe]:
        """The recipes by sector size; none until the layer is read."""
        if self.layer is None:
            return {}
        # The archive's path and digest only tell osbuild where to find it: a survey needs neither.
        return make_recipes(self.request, self.layer, Path("layer.ociarchive"), "0" * 64)

    def has(self, target: DeclaredTarget) -> bool:
        """Whether the build has all of a target and the request does not force it."""
        return has_all(self.request, self.build, target)

    def why_not_made(self, target: DeclaredTarget) -> str:
        """Why `has` does not find a target."""
        if any(key not in self.build.meta.read().get("images", {}) for key in target.listed_keys):
            return "not made yet"
        if not all(self.build.has(key) for key in target.listed_keys):
            return "its file is missing or has another size"
        return "--force" if self.request.force else "the one in the build is a draft"

    def base(self, sector_size: int) -> BaseDisk | None:
        """The base disk that is kept for a recipe."""
        return find_base(self.cache, self._base_key(sector_size)) if self.layer else None

    def why_no_base(self, sector_size: int) -> str:
        """Why `base` finds none."""
        if self.layer is None:
            return UNREAD
        key, recipe = self._base_key(sector_size), self.recipes[sector_size]
        way = self.way(sector_size).way
        return why_no_base(self.cache, key, recipe, self.image.digest, self.layer.tree.digest, way)

    def way(self, sector_size: int) -> ChosenWay:
        """The way to make a base disk of the layer, which is read."""
        return choose_way(self.request, self.recipes[sector_size])

    def seconds(self, step: str, way: str = "") -> float | None:
        """The seconds that a step took last time on this machine when it was done in this way."""
        timings = Timings(self.cache, timed_as(self.request.accelerator, self.cache))
        return timings.seconds(timed_step(step, way))

    def _base_key(self, sector_size: int) -> str:
        assert self.layer
        digest, way = self.layer.tree.digest, self.way(sector_size).way
        return base_key(self.recipes[sector_size], self.image.digest, digest, way)


def has_all(request: Request, build: BuildDir, target: DeclaredTarget) -> bool:
    """Whether the build has every listed file of a target; never with `force`.

    A draft counts only for a request for drafts.
    """
    if request.force or not all(build.has(key) for key in target.listed_keys):
        return False
    return request.draft or not target.has_draft or not _is_draft(build, target)


def _is_draft(build: BuildDir, target: DeclaredTarget) -> bool:
    made = read_record(build.path).made
    return any(made[key].draft for key in target.listed_keys if key in made)
