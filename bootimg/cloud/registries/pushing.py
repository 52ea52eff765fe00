"""Pushes a build to one repository: its images side by side, then their list, then the tags."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from bootimg.cache import Cache
from bootimg.cloud.lifecycle import PlaceResult
from bootimg.cloud.registries.client import Repository
from bootimg.cloud.registries.copying import copy_image
from bootimg.cloud.registries.listing import set_tags
from bootimg.cloud.registries.manifests import Listed
from bootimg.cloud.registries.push import Open, Push
from bootimg.cloud.registries.referrers import push_attached
from bootimg.cloud.task import Done, Means
from bootimg.errors import BootimgError
from bootimg.jobs import Job, Stop, run_jobs

LIST = "tags"
"""The place of the list in results, after the repository's name."""
_IMAGES_AT_A_TIME = 4


def run_push(push: Push, means: Means, cache: Cache) -> list[PlaceResult]:
    """Push; an image that fails does not stop the others, but then no tag is set."""
    listed: dict[str, Listed] = {}

    def work(name: str, opened: Open) -> Callable[[Stop], Done]:
        def image(stop: Stop) -> Done:
            repository = push.repository.at(means.with_stop(stop))
            with opened() as pushed:
                sent = copy_image(pushed, repository, cache)
                sent |= push_attached(pushed, repository, cache)
                listed[name] = _sized(pushed.listed, repository)
                if not means.calls.dry_run:
                    push.pushed(name, pushed.listed.digest)
            return Done(listed[name].digest, cached=not sent)

        return image

    jobs = [
        Job(f"{push.repository.name} {name}", work(name, opened), 0) for name, opened in push.images.items()
    ]
    ended = run_jobs(jobs, workers=_IMAGES_AT_A_TIME, memory=1)
    results = [PlaceResult(each.name, each.value, each.error, means.calls.dry_run) for each in ended]
    place = f"{push.repository.name} {LIST}"
    try:
        _require_all(push, listed)
        return [
            *results,
            PlaceResult(place, set_tags(push, means, listed, cache), None, means.calls.dry_run),
        ]
    except BootimgError as error:
        return [*results, PlaceResult(place, None, error, means.calls.dry_run)]


def _sized(listed: Listed, repository: Repository) -> Listed:
    """What a list says of an image that is known only by its digest: size and type are the registry's."""
    if listed.size:
        return listed
    found = repository.manifest(listed.digest)
    assert found is not None
    return replace(listed, size=len(found.data), media_type=found.media_type)


def _require_all(push: Push, listed: Mapping[str, Listed]) -> None:
    lacking = [*(name for name in push.images if name not in listed), *push.missing]
    if lacking:
        raise BootimgError(
            "registry-images-missing",
            f"the tags of {push.repository.name} were not set: the build's list would not be whole",
            context=[f"missing: {', '.join(lacking)}"],
            hint="push these too, with the same command: what is in the registry is not sent again",
        )
