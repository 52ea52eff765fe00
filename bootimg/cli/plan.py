"""`bootimg plan`: what `build` would do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from bootimg.cli.amounts import clock
from bootimg.cli.app import App
from bootimg.cli.buildoptions import BuildOptions, build_options
from bootimg.cli.options import common
from bootimg.cli.selection import selection_lines
from bootimg.sizes import format_size

if TYPE_CHECKING:
    from bootimg.build.plan import Plan, PlannedArtifact, PlannedStep


@click.command(
    epilog="""\
\b
Examples:
  bootimg plan quay.io/fedora/fedora-coreos:stable
  bootimg plan layer.ociarchive -p qemu --json
  bootimg plan --stream rhel-9.6 --arch s390x"""
)
@common
@build_options
def command(app: App, options: BuildOptions) -> None:
    """Show what `build` would do with the layer IMAGE: artifacts, time, disk space; touch nothing.

    It takes the options of `build` that decide what is made.  With --stream, IMAGE may be left out.
    """
    from bootimg.build.plan import make_plan

    request = options.request(app.accel)
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
    last = "?" if step.seconds is None else clock(step.seconds)
    mark, time = ("✔", "") if step.cached else ("·", last)
    return f" {mark} {step.name:<12} {step.why:<60} {time:>6}".rstrip()


def _artifact_line(artifact: PlannedArtifact) -> str:
    size = f"disk of {format_size(artifact.virtual_size)}" if artifact.virtual_size else ""
    state = "made already" if artifact.cached else ""
    return f" {'✔' if artifact.cached else '→'} {artifact.name}   {size}   {state}".rstrip()
