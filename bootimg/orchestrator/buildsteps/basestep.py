"""The step that makes the base disks, one per sector size; targets are made from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bootimg import process
from bootimg.builds.made import FROM_METAL
from bootimg.disk.bootloaders.choice import require_bootloaders
from bootimg.disk.layer_deploy import DeployWay, require_programs
from bootimg.disk.native import NATIVE_PROGRAMS
from bootimg.disk.native.products.choice import maker_of
from bootimg.disk.native.products.store import has_products
from bootimg.orchestrator.basedisk import BaseDisk
from bootimg.orchestrator.basedisks.applianceimages import tool_tree_path
from bootimg.orchestrator.basedisks.deployway import timed_way
from bootimg.orchestrator.basedisks.foreign import refuse_foreign_layer, refuse_foreign_programs
from bootimg.orchestrator.basedisks.layerprograms import require_appliance
from bootimg.orchestrator.basedisks.making import base_disks
from bootimg.orchestrator.recipes.prepare import Layer
from bootimg.orchestrator.recipes.recipes import make_recipes
from bootimg.orchestrator.refusals import refuse_other_arches
from bootimg.orchestrator.request import Request
from bootimg.orchestrator.space import appliance_bytes, tree_bytes
from bootimg.orchestrator.step import MakingStep, Need, Why, needless
from bootimg.orchestrator.survey import UNREAD, Survey
from bootimg.orchestrator.targets.madewith import How, record_made
from bootimg.orchestrator.targets.target import Target
from bootimg.orchestrator.work import Work
from bootimg.targets import LAYER_KEY
from bootimg.vm.probe import choose_accelerator, known_accelerator


class BaseDisks(MakingStep):
    """Makes the sealed disks that `targets` are made from."""

    name = "base"
    title = "make the base disk"

    def __init__(self, targets: Sequence[Target]) -> None:
        self._targets = targets

    def require(self, request: Request) -> None:
        """Require an architecture whose disks can be made on this machine."""
        refuse_other_arches(request.arch, request.builder)
        if request.deploy is not DeployWay.NATIVE:
            refuse_foreign_programs(request.arch, f"--deploy {request.deploy} runs programs of the layer")

    def require_layer(self, request: Request, layer: Layer) -> None:
        """Require the bootloaders, and a layer that can deploy itself if the request says that it shall."""
        # The archive's path and digest do not matter to a bootloader.
        recipes = make_recipes(request, layer, Path("layer.ociarchive"), "0" * 64)
        for size in _sector_sizes(self._targets):
            require_bootloaders(recipes[size], request.arch, layer.tree)
            # The metal image of a build may have the disk.
            if request.source is None:
                refuse_foreign_layer(request, recipes[size], layer.tree)
        if request.deploy is DeployWay.LAYER:
            require_programs(layer.tree)

    def require_tools(self, survey: Survey) -> None:
        """Require the programs of the native way, what the appliance needs if it is used, KVM if demanded."""
        request, cache = survey.request, survey.cache
        if request.source is not None:
            # The build's metal image may hold the disk.
            return
        if request.deploy is DeployWay.NATIVE:
            for program, package in NATIVE_PROGRAMS.items():
                process.require(program, packages=package)
        if self.way(survey) != DeployWay.NATIVE:
            require_appliance()
        known = known_accelerator("kvm", cache) if request.accelerator == "kvm" else None
        if known is not None and known.name != "kvm":
            # It knows why.
            choose_accelerator(request.accelerator, cache)

    def why(self, survey: Survey) -> Why:
        """Why: a target needs a disk that the cache does not have."""
        wanted = self._sizes(survey)
        if not wanted:
            return needless("no image needs it")
        if survey.layer is None:
            return Why(UNREAD)
        missing = self._missing(survey)
        if not missing:
            return needless("kept")
        return Why(_with_way(survey, missing[0], survey.why_no_base(missing[0])))

    def way(self, survey: Survey) -> str:
        """By the appliance, natively, or natively with the appliance for the bootloader.

        Until the layer is read it is the way that was asked for.
        """
        if survey.tree is None:
            return survey.request.deploy
        ways = [(survey.recipes[size], survey.way(size).way) for size in self._missing(survey)]
        return timed_way(ways, survey.tree, survey.request.arch, survey.cache)

    def need(self, survey: Survey) -> Need:
        """Space for the disks; for the appliance also for the commit and the tools as file system images."""
        wanted, missing = self._sizes(survey), self._missing(survey)
        if not wanted or (survey.layer is not None and not missing):
            return Need()
        files = tree_bytes(survey.image, survey.tree)
        disks = survey.base_bytes * max(1, len(missing))
        if survey.tree is not None and self.way(survey) == DeployWay.NATIVE:
            return Need(cache=disks)
        tools = survey.tree is not None and tool_tree_path(survey.tree, survey.cache).exists()
        return Need(cache=disks + files + appliance_bytes(survey.cache) + (0 if tools else files))

    def run(self, work: Work) -> None:
        """Find or make the disks of the targets that the build lacks."""
        wanted = [each for each in self._targets if each.existing(work) is None]
        if sizes := _sector_sizes(wanted):
            archive, commit = work.progress.artifact(LAYER_KEY), work.results.commit
            assert commit is not None
            recipes = make_recipes(work.request, work.layer, archive.path, archive.sha256)
            work.results.recipes = recipes
            with work.journal.step(self.name):
                work.results.bases = base_disks(work, {size: recipes[size] for size in sizes}, commit)
            record_made(work, [*_with_deploy(wanted, work.results.bases)])
        disks = {size: base.path for size, base in work.results.bases.items()}
        work.progress.base_disks.update(disks)
        work.progress.done(self.name, next(iter(disks.values()), None))

    def _sizes(self, survey: Survey) -> list[int]:
        return _sector_sizes([each for each in self._targets if not survey.has(each.declared)])

    def _missing(self, survey: Survey) -> list[int]:
        return [size for size in self._sizes(survey) if survey.base(size) is None]


def _with_way(survey: Survey, sector_size: int, why: str) -> str:
    """The reason to make a disk, and who will make it."""
    assert survey.tree
    recipe, chosen = survey.recipes[sector_size], survey.way(sector_size)
    if chosen.way is not DeployWay.NATIVE:
        return f"{why}; by the appliance: {chosen.obstacle or f'--deploy {chosen.way}'}"
    maker = maker_of(recipe, survey.tree, survey.request.arch)
    if maker is not None and not has_products(survey.cache, maker.key):
        return f"{why}; natively, the appliance makes the bootloader first"
    return f"{why}; natively"


def _with_deploy(targets: Sequence[Target], bases: Mapping[int, BaseDisk]) -> Iterator[tuple[Target, How]]:
    for target in targets:
        for size in target.base_sector_sizes[:1]:
            yield target, How(bases[size].way or FROM_METAL, bases[size].programs)


def _sector_sizes(targets: Sequence[Target]) -> list[int]:
    return sorted({size for each in targets for size in each.base_sector_sizes})
