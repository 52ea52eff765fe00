"""`build` and `plan` of the Python API, for one architecture and for several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Unpack

from bootimg.api.arches import arch_requests
from bootimg.api.context import StrPath, arch_choice, cache_for_plans, cache_in_use
from bootimg.api.keywords import BuildKeywords
from bootimg.api.requesting import request
from bootimg.arch import ALL, Arch
from bootimg.events import Events
from bootimg.orchestrator.mainjob import run_build
from bootimg.orchestrator.manyarches import making as manyarches
from bootimg.orchestrator.manyarches.requests import ArchRequests
from bootimg.orchestrator.manyarches.results import ArchResults
from bootimg.orchestrator.plan import Plan, make_plan
from bootimg.orchestrator.request import Outcome, Request
from bootimg.storage import storage_errors


@storage_errors()
def build(
    image: str | None = None,
    *,
    until: str | None = None,
    keep: bool = False,
    cache: StrPath | None = None,
    events: Events | None = None,
    **keywords: Unpack[BuildKeywords],
) -> Outcome:
    """Make boot images from the layer `image`, as `bootimg build` does, and return what the build has.

    `until` is the step to stop after; `keep` leaves the base disk's scratch folder.  A platform that fails
    leaves the others: its error is in the outcome's `failures`.  Raises `BootimgError`.
    """
    wanted = replace(request(image, events=events, **keywords), stop_after=until, keep=keep)
    with cache_in_use(cache) as used:
        return run_build(wanted, used, events or Events())


@storage_errors()
def plan(
    image: str | None = None,
    *,
    cache: StrPath | None = None,
    events: Events | None = None,
    **keywords: Unpack[BuildKeywords],
) -> Plan:
    """Say what `build` would do with the same arguments; nothing is made.  Raises `BootimgError`."""
    return plan_request(request(image, events=events, **keywords), cache)


@storage_errors()
def plan_request(wanted: Request, cache: StrPath | None = None) -> Plan:
    """The plan for a request.  A cache that does not exist is not created."""
    with cache_for_plans(cache) as used:
        return make_plan(wanted, used)


def build_arches(
    image: str | None = None,
    arches: str | Sequence[Arch] = ALL,
    *,
    until: str | None = None,
    keep: bool = False,
    cache: StrPath | None = None,
    events: Events | None = None,
    **keywords: Unpack[BuildKeywords],
) -> ArchResults[Outcome]:
    """Make several architectures as one build, one after the other, as `bootimg build --arch all` does.

    `arches` is `all`, names separated by commas, or a sequence; `arch` may not be among the keywords.  An
    architecture that fails leaves the others: its error is in the results.  Raises `BootimgError`.
    """
    found = arch_requests(image, arch_choice(arches), events=events, **keywords)
    wanted = found.changed(lambda each: replace(each, stop_after=until, keep=keep))
    with cache_in_use(cache) as used:
        return manyarches.build_arches(wanted, used, events or Events())


def plan_arches(
    image: str | None = None,
    arches: str | Sequence[Arch] = ALL,
    *,
    cache: StrPath | None = None,
    events: Events | None = None,
    **keywords: Unpack[BuildKeywords],
) -> ArchResults[Plan]:
    """Say what `build_arches` would do with the same arguments; nothing is made.  Raises `BootimgError`."""
    return plan_requests(arch_requests(image, arch_choice(arches), events=events, **keywords), cache)


def plan_requests(wanted: ArchRequests, cache: StrPath | None = None) -> ArchResults[Plan]:
    """The plans for the requests.  A cache that does not exist is not created."""
    with cache_for_plans(cache) as used:
        return manyarches.plan_arches(wanted, used)
