"""The main job: makes boot images from a layer.

Each step looks for its result before it makes it.  So the same command continues an interrupted run,
and a second run repeats no work.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from bootimg.atomic import enough_space, temporary_root
from bootimg.builds.folder import open_build
from bootimg.builds.provenance.writing import write_provenance
from bootimg.cache import Cache
from bootimg.events import Events
from bootimg.layer.declared.facts import version_of
from bootimg.orchestrator.journal import NAME, RUN, Journal
from bootimg.orchestrator.leftout import leave_out
from bootimg.orchestrator.opening import Opened
from bootimg.orchestrator.plan import plan_of
from bootimg.orchestrator.progress import BuildProgress
from bootimg.orchestrator.reading import Reading
from bootimg.orchestrator.rebuild import run_parameters
from bootimg.orchestrator.recipes.variables import target_imgref, warn_of_no_updates
from bootimg.orchestrator.recording import record_image_json, record_selection, record_source
from bootimg.orchestrator.request import Builder, Outcome, Request
from bootimg.orchestrator.sidebyside import make_side_by_side
from bootimg.orchestrator.space import require_room
from bootimg.orchestrator.steps import require_image, require_layer, require_request, steps_of
from bootimg.orchestrator.summary import summary
from bootimg.orchestrator.survey import Survey
from bootimg.orchestrator.targets.registry import targets_of_disks
from bootimg.orchestrator.timings import timing
from bootimg.orchestrator.work import Work
from bootimg.streams.versions.layermatch import tells_versions
from bootimg.targets import SBOM_KEY


def run_build(request: Request, cache: Cache, events: Events) -> Outcome:
    """Make what the request asks for, up to its step `stop_after`, and return what the build has then."""
    request = leave_out(request)
    require_request(request, cache)
    _announce(request, events)
    with (
        enough_space(cache.root, others=(request.builds, temporary_root())),
        timing(cache, request.accelerator, events) as timed,
    ):
        return _build(request, cache, timed)


def _announce(request: Request, events: Events) -> None:
    """Warn of results that may surprise."""
    stream = request.selection.stream
    if request.builder is Builder.OSBUILD and request.compress:
        events.message(
            "osbuild's images are not compressed; `bootimg compress` does it afterwards", "warning"
        )
    _tell_left_out(request.selection.left_out, events)
    if stream is not None and not tells_versions(stream):
        events.message(f"the name {stream} implies no version: the layer's is not checked", "warning")


def _build(request: Request, cache: Cache, events: Events) -> Outcome:
    reading, progress = Reading(request, cache, events, require_image), BuildProgress(request)
    for step in steps_of(request).reading:
        progress.done(step.name, step.run(reading))
    image, request = reading.fetched(), reading.request
    progress.version = version_of(image)
    if reading.opened is None:
        return progress.outcome()
    before = request.selection.left_out
    request = progress.request = leave_out(request, reading.opened.layer)
    now = request.selection.left_out
    _tell_left_out({name: why for name, why in now.items() if name not in before}, events)
    if not steps_of(request).making:
        return progress.outcome()
    survey = Survey(request, image, reading.opened, cache)
    _require_to_make(survey, events)
    return _make(survey, reading.opened, events, progress)


def _tell_left_out(reasons: Mapping[str, str], events: Events) -> None:
    for name, why in reasons.items():
        events.message(f"{name} is left out: {why}", "warning")


def _require_to_make(survey: Survey, events: Events) -> None:
    """Refuse what the layer's files or the free space rule out, and print the plan."""
    require_layer(survey)
    request, layer = survey.request, survey.layer
    if request.disk_platforms and layer is not None:
        warn_of_no_updates(target_imgref(request, survey.image, layer.facts), events)
    if request.retry_failed:
        names = ", ".join(target.name for target in targets_of_disks(request))
        events.message(f"failed in the last run: {names or 'nothing'}")
    plan = plan_of(survey)
    events.message(f"plan: {summary(plan)}")
    require_room(plan.spaces)


def _make(survey: Survey, opened: Opened, events: Events, progress: BuildProgress) -> Outcome:
    request, layer = survey.request, opened.layer
    with open_build(request.builds, survey.version, request.arch) as build:
        journal = Journal(build.file(NAME))
        if step := journal.interrupted():
            events.message(f"an earlier run was cut off in the step {step}; continuing")
        facts = run_parameters(request, layer, opened.impure, journal.last(RUN, "begun"))
        journal.record(RUN, "begun", **facts)
        record_selection(request, build, events)
        record_image_json(build, layer.facts.image_json)
        record_source(build, layer.image)
        work = Work(request, layer, build, journal, survey.cache, events, progress, opened.system)
        return _run(work)


def _run(work: Work) -> Outcome:
    started, progress, steps = time.monotonic(), work.progress, steps_of(work.request)
    for step in steps.making:
        step.run(work)
    make_side_by_side(work, steps.targets)
    if progress.failures and not any(target.name in progress.kept for target in steps.targets):
        raise next(iter(progress.failures.values()))
    progress.add_provenance(write_provenance(work.build))
    if work.request.stop_after is not None:
        # builds.json lists a build only when all of it is made.
        return progress.outcome()
    work.build.finish()
    work.journal.record(RUN, "done")
    return progress.outcome(_statistics(work, time.monotonic() - started))


def _statistics(work: Work, seconds: float) -> Mapping[str, object]:
    commit, artifacts = work.results.commit, work.progress.artifacts
    assert commit is not None
    return {
        "seconds": round(seconds, 3),
        "objects": commit.objects,
        "new-objects": commit.new_objects,
        "import-seconds": round(commit.seconds, 3),
        "cached-artifacts": sum(each.cached for each in artifacts if each.key != SBOM_KEY),
    }
