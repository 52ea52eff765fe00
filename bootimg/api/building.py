"""`build` and `plan` of the Python API."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypedDict, Unpack

from bootimg import defaults
from bootimg.api.context import StrPath, arch_of, cache_in_use, cache_of
from bootimg.arch import Arch
from bootimg.builds.find import find_build
from bootimg.checks.purity import Purity
from bootimg.disk.layer_deploy import DeployWay
from bootimg.errors import BootimgError, ExitCode
from bootimg.events import Events
from bootimg.formats import Compressor
from bootimg.layer.fetching.fetch import RegistryOptions
from bootimg.orchestrator.mainjob import run_build
from bootimg.orchestrator.plan import Plan, make_plan
from bootimg.orchestrator.rebuild import PurityCheck, purity_check, rebuild_request
from bootimg.orchestrator.request import Builder, Outcome, Request
from bootimg.orchestrator.selection import named, select


class BuildKeywords(TypedDict, total=False):
    """The keywords that `build` and `plan` share; each means what the command's option of that name means.

    `platforms` can have `all`.  `from_build` is an id, `latest` or a path; it replaces the image.  `size` is
    in bytes.  `purity` and `allow` are those of the build where `from_build` names one.
    """

    platforms: Sequence[str]
    arch: Arch | str
    builds: StrPath
    from_build: str | None
    retry_failed: bool
    size: int | None
    target_imgref: str | None
    builder: Builder | str
    deploy: DeployWay | str
    accelerator: str
    force: bool
    purity: Purity | str | None
    allow: Sequence[str]
    compress: bool
    compressor: Compressor | str | None
    jobs: int
    registry: RegistryOptions


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
    wanted = replace(request(image, **keywords), stop_after=until, keep=keep)
    with cache_in_use(cache) as used:
        return run_build(wanted, used, events or Events())


def plan(
    image: str | None = None, *, cache: StrPath | None = None, **keywords: Unpack[BuildKeywords]
) -> Plan:
    """Say what `build` would do with the same arguments; nothing is made.  Raises `BootimgError`."""
    return plan_request(request(image, **keywords), cache)


def plan_request(wanted: Request, cache: StrPath | None = None) -> Plan:
    """The plan for a request.  A cache that does not exist is not created."""
    if not cache_of(cache).root.is_dir():
        return make_plan(wanted, cache_of(cache))
    with cache_in_use(cache) as used:
        return make_plan(wanted, used)


def request(image: str | None = None, **keywords: Unpack[BuildKeywords]) -> Request:
    """The request that the arguments of `build` and `plan` amount to."""
    arch, builds = arch_of(keywords.get("arch")), Path(keywords.get("builds", defaults.BUILDS))
    source = keywords.get("from_build")
    if (image is None) == (source is None):
        raise BootimgError(
            "command-line-invalid",
            "name either an image or a build with from_build",
            exit_code=ExitCode.USAGE,
        )
    before = None if source is None else find_build(builds, source, arch)
    known = PurityCheck() if before is None else purity_check(before)
    platforms, selection = select(named(keywords.get("platforms", defaults.PLATFORMS), arch), None, arch)
    compressor = keywords.get("compressor")
    found = Request(
        reference=image or "",
        arch=arch,
        platforms=platforms,
        builds=builds,
        registry=keywords.get("registry", RegistryOptions()),
        target_imgref=keywords.get("target_imgref"),
        size=keywords.get("size"),
        accelerator=keywords.get("accelerator", defaults.ACCELERATOR),
        force=keywords.get("force", False),
        builder=Builder(keywords.get("builder", defaults.BUILDER)),
        deploy=DeployWay(keywords.get("deploy", defaults.DEPLOY)),
        compress=keywords.get("compress", False) or compressor is not None,
        compressor=Compressor(compressor) if compressor else None,
        jobs=keywords.get("jobs", defaults.jobs()),
        retry_failed=keywords.get("retry_failed", False),
        selection=selection,
        purity=Purity(keywords.get("purity") or known.purity or defaults.PURITY),
        allow=tuple(keywords.get("allow") or known.allow or ()),
    )
    return found if before is None else rebuild_request(before, found)
