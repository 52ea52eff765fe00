"""`bootimg plan`: what `build` would do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from bootimg.cli.commands.clouds.planned import plan_upload
from bootimg.cli.commands.manyarches import plan_several
from bootimg.cli.options.buildoptions import BuildOptions, build_options
from bootimg.cli.options.cloudoptions import account_option, set_option
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
  bootimg plan layer.ociarchive --arch all -p all
  bootimg plan --upload 9.6.20261101-0 --stream rhel-9.6"""
)
@common
@build_options
@click.option("--upload", is_flag=True, help="Show what `upload` would send; IMAGE is a build's id or path.")
@click.option("--look", is_flag=True, help="With --upload: look in the clouds too, as upload --dry-run does.")
@account_option
@set_option
def command(
    app: App, options: BuildOptions, upload: bool, look: bool, account: str | None, settings: dict[str, Any]
) -> None:
    """Show what `build` would do with the layer IMAGE: artifacts, time, disk space; change nothing.

    It takes the options of `build` that decide what is made.  With --stream, IMAGE is optional.
    """
    from bootimg.api.building import plan_request

    if upload:
        plan_upload(app, options, look=look, account=account, settings=settings)
        return
    if look or account or settings:
        raise click.UsageError("--look, --account and --set are for --upload")
    arch = options.arch.single
    if arch is None:
        plan_several(app, options, plan_lines)
        return
    plan = plan_request(options.request(app, arch), app.idle_cache.root)
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
