"""Makes the images of a build again in a scratch folder, from the build's archive, and compares them.

What the request was is in the build's record (`bootimg.builds.made`).  The base disks are made again; the
imported layer and the bootloader come from the cache, if it has them.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from bootimg import defaults
from bootimg.atomic import scratch_folder
from bootimg.builds.find import Build
from bootimg.builds.made import FROM_METAL, Made
from bootimg.builds.record import read_record
from bootimg.cache import BASES, Cache
from bootimg.checks.builds.rebuildrules import (
    build_obstacle,
    difference_finding,
    other_programs,
    record_findings,
)
from bootimg.checks.findings import Finding, errors
from bootimg.checks.purity import Purity
from bootimg.disk.layer_deploy import DeployWay
from bootimg.errors import BootimgError
from bootimg.events import Events
from bootimg.orchestrator.basedisks.frommetal import of_metal
from bootimg.orchestrator.mainjob import run_build
from bootimg.orchestrator.remaking.compare import Remade, compare
from bootimg.orchestrator.request import Request
from bootimg.orchestrator.selection import Selection
from bootimg.targets import LAYER_KEY, platform_of_key, target_of_key
from bootimg.untrusted.limits import DEFAULT, Limits


@dataclass(frozen=True, slots=True)
class Remaking:
    """The artifacts that were made again, and the findings about them."""

    artifacts: tuple[Remade, ...] = ()
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What a build is made again with."""

    cache: Cache
    events: Events
    accelerator: str = defaults.ACCELERATOR
    jobs: int = field(default_factory=defaults.jobs)
    limits: Limits = DEFAULT


def remake(build: Build, before: list[Finding], means: Means) -> Remaking:
    """Make the build's images again; `before` are the findings about the build as it is.

    Raises the errors of a build.  Nothing is left behind.
    """
    if (obstacle := build_obstacle(build, before)) is not None:
        return Remaking(findings=(obstacle,))
    made, found = read_record(build.path).made, list[Finding]()
    groups: dict[tuple[str, int | None, bool], list[str]] = defaultdict(list)
    for key in _keys(build):
        wrong = record_findings(key, made, _origin(key, made))
        found += wrong
        if not errors(wrong):
            groups[made[key].target_imgref, made[key].size, made[key].draft].append(key)
    artifacts = []
    for (imgref, size, draft), keys in groups.items():
        request = replace(_request(build, keys, means), target_imgref=imgref, size=size, draft=draft)
        again, failed = _group(build, keys, request, means)
        artifacts += again
        found += failed
    found += (
        difference_finding(each.key, each.compared, each.difference)
        for each in artifacts
        if each.difference is not None
    )
    return Remaking(tuple(artifacts), tuple(found))


def _keys(build: Build) -> list[str]:
    """The keys of the artifacts that are made from base disks and have the same bytes every time."""
    targets = {key: target_of_key(key) for key in build.images}
    return [key for key, each in targets.items() if each is not None and each.on_request and each.repeatable]


def _origin(key: str, made: Mapping[str, Made]) -> Made | None:
    """How the disk in an artifact was made: as the build's metal image, if it was made from that one."""
    how, platform = made.get(key), platform_of_key(key)
    if how is None or platform is None or how.deploy != FROM_METAL:
        return how
    return next((made[p.image_key] for p in of_metal(platform.sector_size) if p.image_key in made), None)


def _group(
    build: Build, keys: list[str], request: Request, means: Means
) -> tuple[list[Remade], list[Finding]]:
    """Make the artifacts of one request again and compare them."""
    with scratch_folder(means.cache.folder("tmp"), "rebuild-") as folder:
        cache = replace(means.cache, bases=folder / BASES)
        outcome = run_build(replace(request, builds=folder / "builds"), cache, means.events)
        # The images are made: they do not need the base disks.
        shutil.rmtree(folder / BASES)
        made = {each.key: each for each in outcome.artifacts}
        found = [compare(build, made[key], folder, means.events) for key in keys if key in made]
        before, now = read_record(build.path).made, read_record(outcome.path).made
        found = [each.because(other_programs(before[each.key], now[each.key])) for each in found]
        return found, [_failed(key, outcome.failures) for key in keys if key not in made]


def _request(build: Build, keys: list[str], means: Means) -> Request:
    targets = [target for key in keys if (target := target_of_key(key))]
    return Request(
        reference=str(build.artifact(LAYER_KEY).absolute()),
        arch=build.arch,
        platforms=tuple(each.platform for each in targets if each.platform),
        builds=build.path.parent.parent,
        accelerator=means.accelerator,
        jobs=means.jobs,
        limits=means.limits,
        deploy=DeployWay.NATIVE,
        # Whether the layer may be built from was decided when the build was made.
        purity=Purity.OFF,
        selection=Selection(
            targets=tuple({each.name: each for each in targets if not each.platform}.values())
        ),
    )


def _failed(key: str, failures: Mapping[str, BootimgError]) -> Finding:
    target = target_of_key(key)
    error = failures.get(target.name) if target else None
    return difference_finding(key, str(error or "no file"), "it could not be made again")
