"""Pushes a build to registries: `bootimg.cloud.registries` says how, and why it is no uploader."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bootimg.builds.find import find_builds
from bootimg.builds.index import read_index
from bootimg.cache import Cache
from bootimg.cloud.calls import CallLog
from bootimg.cloud.journal import Journal
from bootimg.cloud.lifecycle import PlaceResult, Report
from bootimg.cloud.registries.client import Repository
from bootimg.cloud.registries.containers import KINDS
from bootimg.cloud.registries.push import InList
from bootimg.cloud.registries.pushing import run_push
from bootimg.cloud.retry import Retry
from bootimg.cloud.task import Means
from bootimg.errors import BootimgError
from bootimg.events import Events
from bootimg.layer.fetching.skopeo import check_version
from bootimg.orchestrator.uploading.destinations import Destination, destinations_of
from bootimg.orchestrator.uploading.pushplans import (
    RegistryRequest,
    WholeBuild,
    container_push,
    disk_push,
)

_DISKS_KEY = "OCI artifacts"


def push_to_registries(request: RegistryRequest, cache: Cache, events: Events) -> list[Report]:
    """Push to each destination; an error of one does not stop the others.  A single error is raised."""
    check_version()
    whole = _whole(request)
    destinations = destinations_of(request.targets, request.stream, whole.id)
    if len(destinations) == 1:
        return [_report(request, whole, destinations[0], cache, events)]
    return [_guarded(request, whole, each, cache, events) for each in destinations]


def _whole(request: RegistryRequest) -> WholeBuild:
    first = find_builds(request.builds, request.which, request.arch)[0]
    found = {each.arch: each for each in find_builds(first.path.parent.parent, first.id)}
    index = read_index(first.path.parent.parent)
    arches = [arch for each in index["builds"] if each["id"] == first.id for arch in each["arches"]]
    return WholeBuild(first.id, found, tuple(each for each in arches if each not in found))


def _guarded(
    request: RegistryRequest, whole: WholeBuild, destination: Destination, cache: Cache, events: Events
) -> Report:
    try:
        return _report(request, whole, destination, cache, events)
    except BootimgError as error:
        failed = PlaceResult(destination.repository.repo, error=error)
        return _as_report(whole, destination, [failed], CallLog())


def _report(
    request: RegistryRequest, whole: WholeBuild, destination: Destination, cache: Cache, events: Events
) -> Report:
    calls = CallLog(request.dry_run)
    retry = Retry(budget=request.retry_for, events=events)
    means = Means(calls=calls, journal=Journal(), retry=retry, events=events, workers=1)
    repository = Repository(destination.repository.repo, request.options, means)
    kind = KINDS.get(destination.kind)
    if kind is None:
        push = disk_push(request, whole, destination, repository)
    else:
        push = container_push(request, whole, destination, repository, kind, cache)
    images: list[InList] = []

    def done(name: str, found: InList) -> None:
        push.done(name, found)
        images.append(found)

    report = _as_report(whole, destination, run_push(replace(push, done=done), means, cache), calls)
    return replace(report, image=_image(repository.name, images[-1]) if images else None)


def _image(repository: str, found: InList) -> dict[str, str]:
    """The list, by the results of Tekton's tasks."""
    tag = f":{found.tags[0]}" if found.tags else ""
    return {"url": f"{repository}{tag}", "digest": found.list_digest}


def _as_report(
    whole: WholeBuild, destination: Destination, results: Sequence[PlaceResult], calls: CallLog
) -> Report:
    kind = KINDS.get(destination.kind)
    return Report(
        build=whole.id,
        arch="+".join(whole.builds),
        platform=destination.kind,
        key=kind.meta_key if kind else _DISKS_KEY,
        results=results,
        calls=tuple(calls.calls),
    )
