"""Makes and plans several architectures of one build."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

from bootimg.arch import Arch
from bootimg.cache import Cache
from bootimg.errors import BootimgError
from bootimg.events import Events
from bootimg.orchestrator.mainjob import run_build
from bootimg.orchestrator.manyarches.requests import ArchRequests
from bootimg.orchestrator.manyarches.results import ArchResult, ArchResults, Described
from bootimg.orchestrator.plan import Plan, check_image, make_plan
from bootimg.orchestrator.refusals import versions_differ
from bootimg.orchestrator.request import Outcome, Request

Value = TypeVar("Value", bound=Described)
Found = TypeVar("Found")


def build_arches(found: ArchRequests, cache: Cache, events: Events) -> ArchResults[Outcome]:
    """Make one architecture after the other, all as one build; the events say which they are of.

    What can be known beforehand is checked for all of them before anything is fetched.  If some cannot be
    made, and `every` is not set, the error is raised; so it is if none can be made.  Raises
    `layer-versions-differ` if the layers have different versions.
    """
    _tell(found, events)
    versions, refused = _each(found, lambda request: check_image(request, cache))
    _require_one_version(versions)

    made, failed = dict[Arch, Outcome](), dict(refused)
    for arch, version in versions.items():
        # A tag can move while the others are made.
        request, own = replace(found.requests[arch], version=version), events.of_arch(arch.value)
        try:
            made[arch] = run_build(request, cache, own)
        except BootimgError as error:
            own.message(f"failed: {error}", "warning")
            failed[arch] = error
    return _results(found, made, failed)


def plan_arches(found: ArchRequests, cache: Cache) -> ArchResults[Plan]:
    """The plan of each architecture; raises what `build_arches` raises before it begins."""
    plans, refused = _each(found, lambda request: make_plan(request, cache))
    _require_one_version({arch: each.version for arch, each in plans.items()})
    return _results(found, plans, refused)


def common_version(found: ArchRequests, cache: Cache) -> str:
    """The version of the layers, each of which can be made as far as its manifest shows.

    Raises the first error, and `layer-versions-differ`.
    """
    versions, refused = _each(found, lambda request: check_image(request, cache))
    for error in refused.values():
        raise error
    _require_one_version(versions)
    return next(iter(versions.values()))


def _tell(found: ArchRequests, events: Events) -> None:
    for name, why in found.left_out.items():
        events.message(f"{name} is left out: {why}", "warning")
    if found.requests:
        events.message(f"architectures: {', '.join(found.requests)}")


def _each(
    found: ArchRequests, work: Callable[[Request], Found]
) -> tuple[dict[Arch, Found], dict[Arch, BootimgError]]:
    """What `work` returns for each request, and the errors of the others, refused ones included."""
    done, failed = dict[Arch, Found](), dict(found.refused)
    for arch, request in found.requests.items():
        try:
            done[arch] = work(request)
        except BootimgError as error:
            if not found.every:
                raise
            failed[arch] = error
    if not done and failed:
        raise next(iter(failed.values()))
    return done, failed


def _require_one_version(versions: Mapping[Arch, str]) -> None:
    if len(set(versions.values())) > 1:
        raise versions_differ([f"{arch}: {version}" for arch, version in versions.items()])


def _results(
    found: ArchRequests, made: Mapping[Arch, Value], failed: Mapping[Arch, BootimgError]
) -> ArchResults[Value]:
    """The results; raises the first error if nothing was made."""
    if not made and failed:
        raise next(iter(failed.values()))
    arches = [arch for arch in Arch if arch in made or arch in failed]
    results = (ArchResult(arch=arch, value=made.get(arch), error=failed.get(arch)) for arch in arches)
    return ArchResults(results=tuple(results), left_out=found.left_out)
