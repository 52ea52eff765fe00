"""The main job: a layer becomes boot images.

Each step looks for what it would make before it makes it, so a run that was cut off is continued by
the same command, and a second run does nothing twice.
"""

from __future__ import annotations

import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from bootimg.arch import Arch
from bootimg.atomic import enough_space
from bootimg.build.artifacts import archive_layer, existing, make_image
from bootimg.build.bases import BaseDisk, base_key, find_base, make_base
from bootimg.build.by_osbuild import images_by_osbuild
from bootimg.build.journal import NAME, Journal
from bootimg.build.keeping import base_scratch
from bootimg.build.plan import plan_of
from bootimg.build.prepare import Layer, fetch_image, read_layer
from bootimg.build.recipe import make_recipe
from bootimg.build.request import Artifact, Builder, Outcome, Request
from bootimg.build.space import require_room
from bootimg.build.summary import summary
from bootimg.build.timings import timing
from bootimg.build.tools import tool_tree_image
from bootimg.build.until import Progress, StepReached, require_step
from bootimg.build.variables import target_imgref
from bootimg.build.work import Work
from bootimg.builds.build import open_build
from bootimg.builds.meta import LayerIdentity, layer_meta
from bootimg.cache import Cache
from bootimg.disk.base import BaseInputs
from bootimg.disk.layer_deploy import DeployWay, require_programs
from bootimg.errors import BootimgError, ExitCode
from bootimg.events import Events
from bootimg.layer.archive import write_layout_image
from bootimg.layer.facts import version_of
from bootimg.layer.imagejson import PATH as IMAGE_JSON
from bootimg.layer.importer import ImportedCommit, import_layer, write_repo_image
from bootimg.layer.tree import open_tree
from bootimg.manifest.recipe import Recipe
from bootimg.osbuild.program import require_osbuild
from bootimg.vm.probe import choose_accelerator


def run_build(request: Request, cache: Cache, events: Events) -> Outcome:
    """Make what the request asks for, or up to its step `until`, and return what the build has then."""
    require_step(request)
    progress = Progress(request)
    with (
        enough_space(cache.root, others=(request.builds, Path(tempfile.gettempdir()))),
        timing(cache, request.accelerator, events) as timed,
    ):
        try:
            return _build(request, cache, timed, progress)
        except StepReached:
            return progress.outcome()


def refuse_other_arches(arch: Arch, builder: Builder) -> None:
    """Refuse what there is no bootloader row and no tool tree for yet; osbuild has its machine's own."""
    if builder is Builder.OSBUILD:
        _refuse_foreign(arch)
    elif (arch, Arch.of_machine()) != (Arch.X86_64, Arch.X86_64):
        raise BootimgError(
            "arch-build-unsupported",
            f"disks for {arch} cannot be built on {Arch.of_machine()} yet",
            hint="build x86_64 on x86_64; `bootimg manifest` prints the recipe of every architecture",
            exit_code=ExitCode.USAGE,
        )


def _refuse_foreign(arch: Arch) -> None:
    if arch is not Arch.of_machine():
        raise BootimgError(
            "arch-build-unsupported",
            f"osbuild builds disks for {Arch.of_machine()} on this machine, not for {arch}",
            hint=f"run the same command on {arch}: the layer's own programs run while its disk is made",
            exit_code=ExitCode.USAGE,
        )


def _build(request: Request, cache: Cache, events: Events, progress: Progress) -> Outcome:
    if request.builder is Builder.OSBUILD:
        require_osbuild()
    image = fetch_image(request, cache, events)
    progress.version = version_of(image)
    progress.done("fetch", cache.root / "blobs")
    layer = read_layer(request, image, open_tree(image, cache, events))
    progress.done("layers", cache.root / "tars")
    refuse_other_arches(request.arch, request.builder)
    if request.deploy is DeployWay.LAYER:
        require_programs(layer.tree)
    plan = plan_of(request, layer.image, layer, cache)
    events.message(f"plan: {summary(plan)}")
    require_room(plan.spaces)
    with open_build(request.builds, layer.facts.version, request.arch) as build:
        journal = Journal(build.file(NAME))
        if step := journal.interrupted():
            events.message(f"an earlier run was cut off in the step {step}; continuing")
        return _run(Work(request, layer, build, journal, cache, events, progress))


def _run(work: Work) -> Outcome:
    started = time.monotonic()
    build, journal, progress = work.build, work.journal, work.progress
    with journal.step("import"):
        commit = _import(work)
        build.meta.merge(layer_meta(_identity(work.layer, commit)))
    progress.done("import", work.cache.root / "repo")
    with journal.step("archive"):
        archive = archive_layer(build, work.layer, work.cache, work.events, force=work.request.force)
    progress.artifacts.append(archive)
    progress.done("archive", archive.path)
    if work.request.builder is Builder.OSBUILD:
        images_by_osbuild(work, archive)
    else:
        _images(work, commit, archive)
    build.finish()
    journal.record("build", "done")
    return Outcome(
        build_id=build.id,
        arch=build.arch,
        path=build.path,
        artifacts=tuple(progress.artifacts),
        statistics=_statistics(commit, progress.artifacts, time.monotonic() - started),
    )


def _images(work: Work, commit: ImportedCommit, archive: Artifact) -> None:
    recipe = make_recipe(work.request, work.layer, archive.path, archive.sha256)
    wanted, base = work.wanted(), None
    if wanted:
        with work.journal.step("base"):
            base = base_disk(work.request, work.layer, recipe, commit, work.cache, work.events)
    work.progress.done("base", base.path if base else None)
    for platform in work.request.platforms:
        if base is None or platform not in wanted:
            artifact = existing(work.build, platform.image_key)
        else:
            with work.journal.step(platform.name):
                disk = recipe.platforms[platform.name]
                artifact = make_image(work.build, platform, disk, base, work.layer, work.events)
        work.progress.artifacts.append(artifact)
        work.progress.done(platform.name, artifact.path)


def _statistics(commit: ImportedCommit, artifacts: list[Artifact], seconds: float) -> dict[str, object]:
    return {
        "seconds": round(seconds, 3),
        "objects": commit.objects,
        "new-objects": commit.new_objects,
        "import-seconds": round(commit.seconds, 3),
        "cached-artifacts": sum(artifact.cached for artifact in artifacts),
    }


def _import(work: Work) -> ImportedCommit:
    layer, cache = work.layer, work.cache
    imgref = target_imgref(work.request, layer.image, layer.facts)
    return import_layer(
        layer.image, layer.tree, repo=cache.folder("repo"), cache=cache, events=work.events, imgref=imgref
    )


def _identity(layer: Layer, commit: ImportedCommit) -> LayerIdentity:
    return LayerIdentity(
        name=layer.facts.osname,
        build_id=layer.facts.version,
        version=layer.facts.version,
        arch=layer.image.arch,
        commit=commit.checksum,
        created=datetime.fromtimestamp(layer.image.created, UTC),
        labels=layer.image.labels,
        image_json=layer.tree.read(IMAGE_JSON),
        inputs=(layer.image.digest,),
    )


def base_disk(
    request: Request, layer: Layer, recipe: Recipe, commit: ImportedCommit, cache: Cache, events: Events
) -> BaseDisk:
    """The sealed base disk of the layer and recipe, made now unless it is kept."""
    # Natively the tool tree is the layer itself; a foreign layer will bring another one here.
    tools = layer.tree
    key = base_key(recipe, layer.image.digest, tools.digest, request.deploy)
    with cache.locked(f"base-{key}"), events.step("base", "base disk") as step:
        if base := find_base(cache, key):
            step.result("kept", cached=True)
            return base
        accelerator = choose_accelerator(request.accelerator, cache, events)
        events.message(f"accelerator: {accelerator.name} ({accelerator.reason})")
        tool_tree = tool_tree_image(tools, cache, events)
        with base_scratch(cache, events, keep=request.keep) as scratch:
            source_image = scratch / "source.squashfs"
            if recipe.bootc or request.deploy is DeployWay.LAYER:
                write_layout_image(layer.image, cache, source_image)
            else:
                write_repo_image(cache.folder("repo"), commit, source_image)
            inputs = BaseInputs(
                recipe=recipe,
                image=layer.image,
                tree=layer.tree,
                commit=commit,
                tools=tools,
                tool_tree=tool_tree,
                source_image=source_image,
                way=request.deploy,
            )
            return make_base(cache, key, inputs, scratch, accelerator, events, request.on_failure)
