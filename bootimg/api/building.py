"""`build` and `plan` of the Python API."""

from __future__ import annotations

from dataclasses import replace
from typing import Unpack

from bootimg.api.context import StrPath, cache_in_use, cache_of
from bootimg.api.keywords import BuildKeywords
from bootimg.api.requesting import request
from bootimg.events import Events
from bootimg.orchestrator.mainjob import run_build
from bootimg.orchestrator.plan import Plan, make_plan
from bootimg.orchestrator.request import Outcome, Request


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


def plan(
    image: str | None = None,
    *,
    cache: StrPath | None = None,
    events: Events | None = None,
    **keywords: Unpack[BuildKeywords],
) -> Plan:
    """Say what `build` would do with the same arguments; nothing is made.  Raises `BootimgError`."""
    return plan_request(request(image, events=events, **keywords), cache)


def plan_request(wanted: Request, cache: StrPath | None = None) -> Plan:
    """The plan for a request.  A cache that does not exist is not created."""
    if not cache_of(cache).root.is_dir():
        return make_plan(wanted, cache_of(cache))
    with cache_in_use(cache) as used:
        return make_plan(wanted, used)
