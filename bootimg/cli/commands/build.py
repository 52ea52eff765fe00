"""`bootimg build`: the main job."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from bootimg.cli.commands.manyarches import build_several
from bootimg.cli.options.buildoptions import BuildOptions, build_options
from bootimg.cli.options.common import common
from bootimg.cli.options.debugging import DebugOptions, debug_options
from bootimg.cli.options.streamchoice import selection_lines
from bootimg.cli.output.outcomes import HEADER, RETRY, artifact_rows, note_lines
from bootimg.cli.output.session import App
from bootimg.cli.output.table import table
from bootimg.errors import ExitCode

if TYPE_CHECKING:
    from bootimg.orchestrator.request import Outcome, Request


@click.command(
    epilog="""\
\b
Examples:
  bootimg build quay.io/fedora/fedora-coreos:stable
  bootimg build layer.ociarchive -p all --compress -o builds
  bootimg build layer.ociarchive --arch all -p metal,qemu
  bootimg build --from latest -p aws,gcp
  bootimg build --stream rhel-9.6 --streams pipecfg/config.yaml"""
)
@common
@build_options
@debug_options
def command(app: App, options: BuildOptions, debugging: DebugOptions) -> None:
    """Make boot images from the layer IMAGE: a reference for skopeo, or a path to an OCI archive or layout.

    With --stream, IMAGE is optional.
    """
    from bootimg.orchestrator.mainjob import run_build
    from bootimg.orchestrator.progress import stopped_text

    def changed(request: Request) -> Request:
        return replace(
            request,
            stop_after=debugging.stop_after,
            keep=debugging.keep,
            on_failure=debugging.on_failure,
        )

    arch = options.arch.single
    if arch is None:
        build_several(app, options, changed)
        return
    outcome = run_build(changed(options.request(app, arch)), app.cache, app.events)
    text = stopped_text(outcome) if outcome.stopped_after else artifact_table(outcome, app.width)
    app.result(outcome.as_dict(), text)
    if outcome.failures:
        click.get_current_context().exit(ExitCode.PARTIAL)


def artifact_table(outcome: Outcome, width: int | None = None) -> str:
    """The artifacts as a table (file, size, digest, time), and the next command."""
    lines = table([HEADER, *artifact_rows(outcome)], width=width, header=True, right={1, 3})
    if notes := list(note_lines(outcome)):
        lines += ["", *notes]
    failed = [f"failed: {name}: {error}" for name, error in outcome.failures.items()]
    if failed:
        lines += ["", *failed, RETRY]
    lines += selection_lines(outcome.selection)
    following = f"next: bootimg run -o {outcome.path.parent.parent}"
    return "\n".join([*lines, "", f"in {outcome.path}", following])
