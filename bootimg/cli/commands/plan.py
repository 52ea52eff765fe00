"""`bootimg plan`: what `build` would do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from bootimg.cli.options.buildoptions import BuildOptions, build_options
from bootimg.cli.options.common import common
from bootimg.cli.options.streamchoice import selection_lines
from bootimg.cli.output.amounts import clock
from bootimg.cli.output.session import App
from bootimg.cli.output.table import table
from bootimg.sizes import format_size

if TYPE_CHECKING:
    from bootimg.orchestrator.plan import Plan, PlannedArtifact, PlannedStep


@click.command(
    epilog="""\
\b
Examples:
  bootimg plan quay.io/fedora/fedora-coreos:stable
  bootimg plan layer.ociarchive -p qemu --json
  bootimg plan --stream rhel-9.6 --streams pipecfg/config.yaml"""
)
@common
@build_options
def command(app: App, options: BuildOptions) -> None:
    """Show what `build` would do with the layer IMAGE: artifacts, time, disk space; change nothing.

    It takes the options of `build` that decide what is made.  With --stream, IMAGE is optional.
    """
    from bootimg.api.building import plan_request

    plan = plan_request(options.request(app), app.idle_cache.root)
    app.result(plan.as_dict(), "\n".join(plan_lines(plan, app.width)))


def plan_lines(plan: Plan, width: int | None = None) -> Iterator[str]:
    """The lines that describe the plan, for a terminal of this width."""
    from bootimg.orchestrator.summary import summary

    image = plan.image
    name = f"{image.reference.removeprefix('docker://').partition('@')[0]}@{image.digest[:19]}…"
    layer = f"{name}   {plan.version}   {image.arch}   {format_size(image.size)}"
    accelerator = f"{plan.accelerator or 'unknown'} ({plan.accelerator_reason})"
    yield from table([("layer", layer), ("plan", summary(plan)), ("accel", accelerator)], width=width)
    yield ""
    yield from table(
        [("", "STEP", "TIME", "WHY"), *map(_step, plan.steps)], width=width, header=True, right={2}
    )
    yield ""
    artifacts = [("", "FILE", "DISK", ""), *map(_artifact, plan.artifacts)]
    yield from table(artifacts, width=width, header=True, right={2})
    yield from selection_lines(plan.selection)
    yield ""
    yield from table(
        [("SPACE", "NEEDED", "FREE", "IN"), *_spaces(plan)], width=width, header=True, right={1, 2}
    )
    if not plan.exact:
        yield "the layer is not in the cache: sizes are guesses, later steps are known only after it is read"


def _step(step: PlannedStep) -> tuple[str, str, str, str]:
    last = "?" if step.seconds is None else clock(step.seconds)
    return ("✔", step.name, "", step.why) if step.cached else ("·", step.name, last, step.why)


def _artifact(artifact: PlannedArtifact) -> tuple[str, str, str, str]:
    size = format_size(artifact.virtual_size) if artifact.virtual_size else ""
    return ("✔", artifact.name, size, "made already") if artifact.cached else ("→", artifact.name, size, "")


def _spaces(plan: Plan) -> Iterator[tuple[str, str, str, str]]:
    for space in plan.spaces:
        about = "" if plan.exact or not space.need else "about "
        need, free = format_size(space.need), format_size(space.free)
        yield space.purpose, f"{about}{need}", free, str(space.path)
