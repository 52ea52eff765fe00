"""Checks whether disks may be made from the layer: no content of OpenShift, or the request allows it."""

from __future__ import annotations

from collections.abc import Sequence

from bootimg.checks.findings import Finding, errors
from bootimg.checks.purity import Purity, purity
from bootimg.checks.rules import Rule
from bootimg.checks.system import System
from bootimg.errors import BootimgError, ExitCode
from bootimg.events import Events
from bootimg.orchestrator.recipes.prepare import Layer
from bootimg.orchestrator.request import Request

_SHOWN = 100


def require_pure(request: Request, layer: Layer, system: System, events: Events) -> Sequence[Finding]:
    """The findings about content of OpenShift in the layer's system, each also a warning.

    Raises `layer-not-pure` if the request does not allow it, and `layer-purity-unknown` if the only fault is
    that the packages cannot be read.
    """
    if request.purity is Purity.OFF:
        return ()
    found = purity(system, request.allow)
    bad = errors(found)
    if bad and request.purity is Purity.ERROR:
        unknown = all(each.rule is Rule.PACKAGES_UNREADABLE for each in bad)
        raise _unknown(layer, bad) if unknown else _not_pure(layer, bad)
    for each in found:
        events.message(str(each), "warning")
    return found


def _unknown(layer: Layer, bad: Sequence[Finding]) -> BootimgError:
    return BootimgError(
        "layer-purity-unknown",
        f"bootimg cannot tell whether {layer.image.reference} has packages of OpenShift",
        context=[each.evidence for each in bad],
        note="nothing else of OpenShift is in it: no file, unit, label or message",
        hint="give the layer a readable package database; --purity warn builds without that check",
        exit_code=ExitCode.USAGE,
    )


def _not_pure(layer: Layer, bad: Sequence[Finding]) -> BootimgError:
    context = [str(each) for each in bad[:_SHOWN]]
    if len(bad) > _SHOWN:
        context.append(f"and {len(bad) - _SHOWN} more: `bootimg verify` lists them")
    return BootimgError(
        "layer-not-pure",
        f"{layer.image.reference} has content of OpenShift, and disks are made from the layer without it",
        context=context,
        note="the node image is laid over this layer when a cluster is installed",
        hint="build from the RHEL-only layer; for a stream whose layer is meant to have OpenShift in it set "
        "`skip_disk_images` (`--skip-disk-images`); --allow NAME allows single things",
        exit_code=ExitCode.USAGE,
    )
