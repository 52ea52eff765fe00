"""Runs a verb of the clouds on the images of a build."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from bootimg.builds.find import Build, find_builds
from bootimg.builds.layout import META
from bootimg.builds.meta import MetaFile
from bootimg.cache import Cache
from bootimg.cloud.calls import CallLog
from bootimg.cloud.journal import open_journal
from bootimg.cloud.lifecycle import PlaceResult, Report, run_verb
from bootimg.cloud.registry import find_uploader, uploader_of
from bootimg.cloud.results import entries_of
from bootimg.cloud.retry import Retry
from bootimg.cloud.task import Means, Task, Uploader
from bootimg.cloud.verbs import Verb
from bootimg.errors import BootimgError, ExitCode
from bootimg.events import Events
from bootimg.orchestrator.uploading.content import ArtifactContent
from bootimg.orchestrator.uploading.declared import declared_by, declared_in
from bootimg.orchestrator.uploading.request import CloudRequest, chosen_upload, settings_for
from bootimg.platform import Platform, platform, platforms
from bootimg.targets import platform_of_key


@dataclass(frozen=True, slots=True)
class _Image:
    build: Build
    platform: Platform
    uploader: Uploader


def run_cloud_verb(request: CloudRequest, cache: Cache, events: Events) -> list[Report]:
    """Run the verb on each image; an error of one cloud or architecture does not stop the others.

    If there is only one image, its error is raised.
    """
    stream = request.stream
    if request.verb is Verb.UPLOAD and stream is not None and stream.uploads.skip_clouds:
        events.message(f"the stream {stream.name} skips uploads to clouds")
        return []
    images = list(_images(request))
    if not images:
        raise BootimgError(
            "uploader-missing",
            "the build has no image of a platform with an uploader",
            hint="`bootimg builds show` lists its images; name a platform with -p",
            exit_code=ExitCode.USAGE,
        )
    tasks = [(image, _task(request, image, cache, events)) for image in images]
    if len(tasks) == 1:
        return [_report(request, *tasks[0], events)]
    return [_guarded(request, image, task, events) for image, task in tasks]


def _images(request: CloudRequest) -> Iterator[_Image]:
    builds = find_builds(request.builds, request.which, request.arch)
    for build in builds:
        named = (
            _named(request, build, alone=len(builds) == 1) if request.platforms else _known(build, request)
        )
        for found in named:
            yield _Image(build, found, uploader_of(found))


def _named(request: CloudRequest, build: Build, *, alone: bool) -> Iterator[Platform]:
    """The platforms of the request; those that do not exist for the build's architecture are refused.

    If the build has several architectures and none was named, they are left out instead.
    """
    for name in request.platforms:
        known = platforms().get(name)
        if alone or known is None or build.arch in known.arches:
            yield platform(name, build.arch)


def _known(build: Build, request: CloudRequest) -> Iterator[Platform]:
    """The platforms of the build's images that have an installed uploader with the verb."""
    for known in filter(None, map(platform_of_key, build.images)):
        found = find_uploader(known.uploader) if known.uploader else None
        if found is not None and request.verb in found.verbs:
            yield known


def _task(request: CloudRequest, image: _Image, cache: Cache, events: Events) -> Task:
    build, declared = image.build, None
    if request.image_json is not None:
        declared = declared_in(request.image_json)
    elif request.verb is Verb.UPLOAD:
        declared = declared_by(build, cache, events, request.limits)
    return replace(make_task(request, build, image.platform, image.uploader, cache), declared=declared)


def make_task(request: CloudRequest, build: Build, found: Platform, uploader: Uploader, cache: Cache) -> Task:
    """The task of a verb for one upload of a build, without the values of image.json."""
    where, name = str(build.path / META), str(build.meta.get("name", ""))
    return Task(
        name=name,
        build=build.id,
        arch=str(build.arch),
        summary=str(build.meta.get("summary") or name),
        upload=chosen_upload(found, request.key),
        settings=settings_for(request, uploader),
        content=ArtifactContent(build, found, cache, request.limits),
        recorded={each.meta_key: entries_of(build.meta, each, where) for each in found.uploads},
    )


@contextmanager
def open_means(
    request: CloudRequest, build: Build, uploader: Uploader, calls: CallLog, events: Events
) -> Iterator[Means]:
    """What an uploader works with, while the journal of the build's uploads is held; `upload-running`."""
    opened = open_journal(build.path, uploader.name, request.account, dry_run=request.dry_run)
    with opened as journal:
        retry = Retry(budget=request.retry_for, events=events)
        yield Means(calls=calls, journal=journal, retry=retry, events=events, workers=request.workers)


def _report(request: CloudRequest, image: _Image, task: Task, events: Events) -> Report:
    calls, build = CallLog(request.dry_run), image.build
    with open_means(request, build, image.uploader, calls, events) as means:
        results = run_verb(request.verb, image.uploader, task, means, MetaFile(build.path / META))
    return _as_report(image.platform, task, results, calls)


def _as_report(found: Platform, task: Task, results: Sequence[PlaceResult], calls: CallLog) -> Report:
    return Report(
        build=task.build,
        arch=task.arch,
        platform=found.name,
        key=task.upload.meta_key,
        results=results,
        calls=tuple(calls.calls),
    )


def _guarded(request: CloudRequest, image: _Image, task: Task, events: Events) -> Report:
    """The report, with an error that concerns the whole image in it."""
    try:
        return _report(request, image, task, events)
    except BootimgError as error:
        return _as_report(image.platform, task, [PlaceResult(image.platform.name, error=error)], CallLog())
