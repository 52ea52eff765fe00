"""`bootimg plan`: what `build` would do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bootimg.arch import Arch
from bootimg.cli.app import App
from bootimg.cli.build import builder_option, deploy_option, size_option, target_imgref_option
from bootimg.cli.options import (
    accel_option,
    arch_option,
    builds_option,
    common,
    force_option,
    platform_option,
    registry_options,
)
from bootimg.cli.purity import purity_of, purity_options
from bootimg.cli.selection import Words, layer_of, selection_lines, selection_options
from bootimg.sizes import format_size

if TYPE_CHECKING:
    from bootimg.build.plan import Plan, PlannedArtifact, PlannedStep
    from bootimg.layer.fetch import RegistryOptions


@click.command(
    epilog="""\
\b
Examples:
  bootimg plan quay.io/fedora/fedora-coreos:stable
  bootimg plan layer.ociarchive -p qemu --json
  bootimg plan --stream rhel-9.6 --streams pipecfg/config.yaml"""
)
@common
@click.argument("image", required=False)
@selection_options
@platform_option
@arch_option
@builds_option
@size_option
@target_imgref_option
@builder_option
@deploy_option
@accel_option
@force_option
@purity_options
@registry_options
def command(
    app: App,
    image: str | None,
    words: Words,
    arch: Arch,
    builds: Path,
    size: int | None,
    target_imgref: str | None,
    builder: str,
    deploy: str,
    force: bool,
    purity: str | None,
    allow: tuple[str, ...],
    registry: RegistryOptions,
) -> None:
    """Show what `build` would do with the layer IMAGE: artifacts, time, disk space; touch nothing.

    With --stream, IMAGE may be left out.
    """
    from bootimg.build.plan import make_plan
    from bootimg.build.request import Builder, Request
    from bootimg.disk.layer_deploy import DeployWay

    chosen = words.choose(arch)
    level, allowed = purity_of(purity, allow, chosen)
    request = Request(
        reference=layer_of(image, chosen, words),
        arch=arch,
        platforms=chosen.platforms,
        builds=builds,
        registry=registry,
        target_imgref=target_imgref,
        size=size,
        accelerator=app.accel,
        force=force,
        builder=Builder(builder),
        deploy=DeployWay(deploy),
        compress=chosen.compress,
        compressor=chosen.compressor,
        selection=chosen.selection,
        purity=level,
        allow=allowed,
    )
    # A cache that is not there is not made for a look at it.
    plan = make_plan(request, app.cache if app.idle_cache.root.is_dir() else app.idle_cache)
    app.result(plan.as_dict(), "\n".join(plan_lines(plan)))


def plan_lines(plan: Plan) -> Iterator[str]:
    """The plan for people."""
    from bootimg.build.summary import summary

    image = plan.image
    name = f"{image.reference.removeprefix('docker://').partition('@')[0]}@{image.digest[:19]}…"
    yield f"layer      {name}   {plan.version}   {image.arch}   {format_size(image.size)}"
    yield f"plan       {summary(plan)}"
    yield f"accel      {plan.accelerator or 'unknown'} ({plan.accelerator_reason})"
    yield from (_step_line(step) for step in plan.steps)
    yield from (_artifact_line(artifact) for artifact in plan.artifacts)
    yield from selection_lines(plan.selection)
    for space in plan.spaces:
        about = "" if plan.exact or not space.need else "about "
        need, free = format_size(space.need), format_size(space.free)
        yield f"{space.purpose:<10} {about}{need} needed, {free} free in {space.path}"
    if not plan.exact:
        yield "the layer is not in the cache: sizes are guesses, and later steps are told after it is read"


def _step_line(step: PlannedStep) -> str:
    clock = "?" if step.seconds is None else f"{int(step.seconds) // 60}:{int(step.seconds) % 60:02}"
    mark, time = ("✔", "") if step.cached else ("·", clock)
    return f" {mark} {step.name:<12} {step.why:<60} {time:>6}".rstrip()


def _artifact_line(artifact: PlannedArtifact) -> str:
    size = f"disk of {format_size(artifact.virtual_size)}" if artifact.virtual_size else ""
    state = "made already" if artifact.cached else ""
    return f" {'✔' if artifact.cached else '→'} {artifact.name}   {size}   {state}".rstrip()
