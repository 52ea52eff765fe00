"""The base disks of a build, one per sector size: kept ones, and the others made in one launch."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from bootimg.disk.base import BaseInputs
from bootimg.disk.layer_deploy import DeployWay
from bootimg.layer.fetching.archive import write_layout_image
from bootimg.layer.importing.importer import ImportedCommit, write_repo_image
from bootimg.manifest.recipe import Recipe
from bootimg.orchestrator.basedisk import BaseDisk, base_key, find_base, make_bases, seal_digest
from bootimg.orchestrator.basedisks.applianceimages import tool_tree_image, tool_tree_path
from bootimg.orchestrator.basedisks.deployway import ChosenWay, choose_way, timed_way
from bootimg.orchestrator.basedisks.foreign import refuse_foreign_programs
from bootimg.orchestrator.basedisks.frommetal import base_from_metal
from bootimg.orchestrator.basedisks.nativedisks import native_disks
from bootimg.orchestrator.basedisks.scratch import base_scratch
from bootimg.orchestrator.work import Work
from bootimg.vm.probe import choose_accelerator

_SOURCE = "source.squashfs"


def base_disks(work: Work, recipes: Mapping[int, Recipe], commit: ImportedCommit) -> dict[int, BaseDisk]:
    """The sealed base disk of each recipe, by sector size; disks that are not kept are made now."""
    # Natively the tool tree is the layer itself; a foreign layer will bring another one here.
    tools, digest = work.layer.tree, work.layer.image.digest
    ways = {size: choose_way(work.request, recipe) for size, recipe in recipes.items()}
    keys = {size: base_key(recipe, digest, tools.digest, ways[size].way) for size, recipe in recipes.items()}
    with ExitStack() as locks, work.events.step("base", "base disk") as step:
        for key in sorted(keys.values()):
            locks.enter_context(work.cache.locked(f"base-{key}", work.events))
        found = {size: _find(work, size, key) for size, key in keys.items()}
        missing = {keys[size]: (recipes[size], ways[size]) for size, base in found.items() if base is None}
        if missing:
            chosen_ways = [(each, chosen.way) for each, chosen in missing.values()]
            step.way = timed_way(chosen_ways, tools, work.request.arch, work.cache)
        made = _make(work, missing, commit) if missing else {}
        slow = any(disk.way is not DeployWay.NATIVE for disk in made.values())
        if slow and work.request.deploy is DeployWay.NATIVE:
            # The commit has what only the appliance can write.
            step.way = DeployWay.APPLIANCE
        if not missing:
            step.result("kept", cached=True)
        return {size: base or made[keys[size]] for size, base in found.items()}


def _find(work: Work, sector_size: int, key: str) -> BaseDisk | None:
    """The kept base disk, else the one from the metal image of the request's build."""
    kept = find_base(work.cache, key)
    if kept and seal_digest(kept.path) != kept.digest:
        work.events.message("the kept base disk was changed after it was sealed; it is made again", "warning")
        kept = None
    return kept or base_from_metal(work, sector_size)


def _make(
    work: Work, missing: Mapping[str, tuple[Recipe, ChosenWay]], commit: ImportedCommit
) -> dict[str, BaseDisk]:
    """The disks, natively as far as that is possible; the appliance makes the others."""
    with base_scratch(work.cache, work.events, keep=work.request.keep) as scratch:
        wanted = {
            key: base_inputs(work, recipe, chosen.way, commit, scratch)
            for key, (recipe, chosen) in missing.items()
        }
        for obstacle in sorted({chosen.obstacle for _, chosen in missing.values() if chosen.obstacle}):
            work.events.message(f"the appliance makes the base disk: {obstacle}")
        native = {key: inputs for key, inputs in wanted.items() if inputs.way is DeployWay.NATIVE}
        made = native_disks(work, native, scratch)
        rest = {key: inputs for key, inputs in wanted.items() if key not in made}
        if rest:
            refuse_foreign_programs(work.request.arch, "programs of the layer make the disk")
        return made | (_by_appliance(work, rest, scratch) if rest else {})


def _by_appliance(work: Work, missing: Mapping[str, BaseInputs], scratch: Path) -> dict[str, BaseDisk]:
    request, cache, events = work.request, work.cache, work.events
    accelerator = choose_accelerator(request.accelerator, cache, events)
    events.message(f"accelerator: {accelerator.name} ({accelerator.reason})")
    tool_tree_image(work.layer.tree, cache, events)
    shared = next(iter(missing.values()))
    if request.deploy is DeployWay.LAYER or any(each.recipe.bootc for each in missing.values()):
        write_layout_image(work.layer.image, cache, shared.source_image)
    else:
        write_repo_image(cache.folder("repo"), shared.commit, shared.source_image)
    return make_bases(cache, missing, scratch, accelerator, events, request.on_failure)


def base_inputs(
    work: Work, recipe: Recipe, way: DeployWay, commit: ImportedCommit, scratch: Path
) -> BaseInputs:
    """What a base disk is made from; the appliance's image of the layer will be in `scratch`."""
    return BaseInputs(
        recipe=recipe,
        image=work.layer.image,
        tree=work.layer.tree,
        commit=commit,
        tools=work.layer.tree,
        tool_tree=tool_tree_path(work.layer.tree, work.cache),
        source_image=scratch / _SOURCE,
        way=way,
    )
