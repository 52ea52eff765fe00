"""`request` of the Python API: the one place where options become a request for a build."""

from __future__ import annotations

from pathlib import Path
from typing import Unpack

from bootimg import defaults
from bootimg.api.choosing import LayerUnclear, choose, layer_of, purity_of
from bootimg.api.context import arch_of
from bootimg.api.keywords import BuildKeywords
from bootimg.builds.find import find_build
from bootimg.disk.layer_deploy import DeployWay
from bootimg.events import Events
from bootimg.formats import Compressor
from bootimg.layer.fetching.fetch import RegistryOptions
from bootimg.orchestrator.rebuild import rebuild_request
from bootimg.orchestrator.request import Builder, Request
from bootimg.storage import storage_errors
from bootimg.untrusted.limits import DEFAULT


@storage_errors()
def request(
    image: str | None = None, *, events: Events | None = None, **keywords: Unpack[BuildKeywords]
) -> Request:
    """The request that the arguments of `build` and `plan` amount to.

    Raises the errors of the streams file, of platforms, of skipped targets, and of the build that
    `from_build` names.  Faults in parts of the streams file that are not used become warnings in `events`.
    """
    source = keywords.get("from_build")
    if image is not None and source is not None:
        raise LayerUnclear(both=True)
    arch, builds = arch_of(keywords.get("arch")), Path(keywords.get("builds", defaults.BUILDS))
    choice = choose(keywords, arch, events or Events())
    before = None if source is None else find_build(builds, source, arch)
    level, allowed = purity_of(keywords.get("purity"), keywords.get("allow", ()), choice, before)
    compressor = keywords.get("compressor")
    found = Request(
        reference=layer_of(image, choice.stream) if before is None else "",
        arch=arch,
        platforms=choice.platforms,
        builds=builds,
        registry=keywords.get("registry", RegistryOptions()),
        limits=keywords.get("limits", DEFAULT),
        target_imgref=keywords.get("target_imgref"),
        size=keywords.get("size"),
        accelerator=keywords.get("accelerator", defaults.ACCELERATOR),
        force=keywords.get("force", False),
        draft=keywords.get("draft", False),
        experimental=keywords.get("experimental", False),
        host_keys=tuple(map(Path, keywords.get("hostkey", ()))),
        builder=Builder(keywords.get("builder", defaults.BUILDER)),
        deploy=DeployWay(keywords.get("deploy", defaults.DEPLOY)),
        compress=keywords.get("compress", False) or compressor is not None or choice.compress,
        compressor=Compressor(compressor) if compressor else choice.compressor,
        jobs=keywords.get("jobs", defaults.jobs()),
        retry_failed=keywords.get("retry_failed", False),
        selection=choice.selection,
        purity=level,
        allow=allowed,
    )
    return found if before is None else rebuild_request(before, found)
