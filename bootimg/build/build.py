"""The main job: a layer becomes boot images.

Each step looks for what it would make before it makes it, so a run that was cut off is continued by
the same command, and a second run does nothing twice.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

from bootimg.atomic import enough_space, temporary_root
from bootimg.build.again import asked, only_failed, require_same_image
from bootimg.build.artifacts import archive_layer
from bootimg.build.by_osbuild import images_by_osbuild
from bootimg.build.extensions import STEP as EXTENSIONS
from bootimg.build.extensions import archive_extensions
from bootimg.build.images import images_by_ourselves
from bootimg.build.journal import NAME, RUN, Journal
from bootimg.build.plan import plan_of
from bootimg.build.prepare import Layer, fetch_image, read_layer
from bootimg.build.pure import require_pure
from bootimg.build.recording import record_selection
from bootimg.build.refusals import (
    refuse_before_fetching,
    refuse_other_arches,
    refuse_other_stream,
    refuse_unbuildable,
)
from bootimg.build.request import Artifact, Builder, Outcome, Request
from bootimg.build.sbom import write_sbom
from bootimg.build.space import require_places, require_room
from bootimg.build.summary import summary
from bootimg.build.timings import timing
from bootimg.build.until import Progress, StepReached, require_step
from bootimg.build.variables import target_imgref
from bootimg.build.work import Work
from bootimg.builds.build import open_build
from bootimg.builds.meta import LayerIdentity, layer_meta
from bootimg.cache import Cache
from bootimg.checks.system import system_of_image
from bootimg.disk.layer_deploy import DeployWay, require_programs
from bootimg.events import Events
from bootimg.layer.facts import version_of
from bootimg.layer.imagejson import PATH as IMAGE_JSON
from bootimg.layer.importer import ImportedCommit, import_layer
from bootimg.layer.tree import open_tree
from bootimg.osbuild.program import require_osbuild
from bootimg.targets import SBOM_KEY as SBOM


def run_build(request: Request, cache: Cache, events: Events) -> Outcome:
    """Make what the request asks for, or up to its step `until`, and return what the build has then."""
    require_step(request)
    progress = Progress(request)
    with (
        enough_space(cache.root, others=(request.builds, temporary_root())),
        timing(cache, request.accelerator, events) as timed,
    ):
        try:
            return _build(request, cache, timed, progress)
        except StepReached:
            return progress.outcome()


def _build(request: Request, cache: Cache, events: Events, progress: Progress) -> Outcome:
    refuse_unbuildable(request.platforms)
    if request.builder is Builder.OSBUILD:
        require_osbuild()
        if request.compress:
            events.message(
                "osbuild's images are not compressed; `bootimg compress` does it afterwards", "warning"
            )
    for name, why in request.selection.left_out.items():
        events.message(f"{name} is left out: {why}", "warning")
    refuse_before_fetching(request, events)
    require_places(cache, request.builds)
    image = fetch_image(request, cache, events)
    refuse_other_stream(request, image)
    if request.source is not None:
        require_same_image(request.source, image)
    progress.version = version_of(image)
    progress.done("fetch", cache.root / "blobs")
    layer = read_layer(request, image, open_tree(image, cache, events))
    system = system_of_image(image, layer.tree, cache.folder("tmp"))
    impure = require_pure(request, layer, system, events)
    progress.done("layers", cache.root / "tars")
    refuse_other_arches(request.arch, request.builder)
    if request.deploy is DeployWay.LAYER:
        require_programs(layer.tree)
    if request.retry_failed:
        request = only_failed(request, layer.facts.version)
        names = ", ".join(platform.name for platform in request.platforms)
        events.message(f"failed in the last run: {names or 'nothing'}")
    plan = plan_of(request, layer.image, layer, cache)
    events.message(f"plan: {summary(plan)}")
    require_room(plan.spaces)
    with open_build(request.builds, layer.facts.version, request.arch) as build:
        journal = Journal(build.file(NAME))
        if step := journal.interrupted():
            events.message(f"an earlier run was cut off in the step {step}; continuing")
        journal.record(RUN, "begun", **asked(request, layer, impure, journal.last(RUN, "begun")))
        record_selection(request, build, events)
        return _run(Work(request, layer, build, journal, cache, events, progress, system))


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
    with journal.step(SBOM):
        progress.sbom = write_sbom(work)
    if work.request.selection.extensions is not None:
        with journal.step(EXTENSIONS):
            extensions = archive_extensions(work, work.request.selection.extensions)
        progress.artifacts.append(extensions)
        progress.done(EXTENSIONS, extensions.path)
    if work.request.builder is Builder.OSBUILD:
        images_by_osbuild(work, archive)
    else:
        images_by_ourselves(work, commit, archive)
    if progress.failures and not progress.made():
        raise next(iter(progress.failures.values()))
    build.finish()
    journal.record(RUN, "done")
    return Outcome(
        build_id=build.id,
        arch=build.arch,
        path=build.path,
        artifacts=tuple(progress.artifacts),
        sbom=progress.sbom,
        base_disks=progress.base_disks,
        failures=progress.failures,
        statistics=_statistics(commit, progress.artifacts, time.monotonic() - started),
        selection=work.request.selection,
    )


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
