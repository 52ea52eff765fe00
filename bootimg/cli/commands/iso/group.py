"""`bootimg iso`: what is embedded in a live ISO of CoreOS."""

from __future__ import annotations

from pathlib import Path

import click

from bootimg.cli.commands.iso.arguments import change, iso_argument, output_option
from bootimg.cli.commands.iso.extract import extract
from bootimg.cli.commands.iso.ignition import ignition
from bootimg.cli.commands.iso.kargs import kargs
from bootimg.cli.commands.iso.network import network
from bootimg.cli.options.common import common, limit_option
from bootimg.cli.output.isolines import area_rows
from bootimg.cli.output.session import App
from bootimg.cli.output.table import table
from bootimg.untrusted.limits import Limits


@click.group(
    "iso",
    epilog="""\
\b
Examples:
  bootimg iso ignition embed live.iso -i config.ign -o mine.iso
  bootimg iso kargs append live.iso console=ttyS1""",
)
def command() -> None:
    """Show and change what is embedded in a live ISO of CoreOS, whoever made it."""


@command.command("show")
@common
@limit_option
@iso_argument
def show(app: App, iso: Path, limits: Limits) -> None:
    """Show what an ISO boots, its areas and what is in them."""
    from bootimg.live.embed.edit import opened_iso
    from bootimg.live.reading.describe import describe_areas

    with opened_iso(iso, limits) as found:
        document = describe_areas(found)
    app.result(document, "\n".join(table(area_rows(document), width=app.width)))


@command.command("reset")
@common
@limit_option
@iso_argument
@output_option
def reset(app: App, iso: Path, output: Path | None, limits: Limits) -> None:
    """Undo all changes: the ISO has the bytes that it was made with."""
    change(app, iso, output, limits, lambda found: found.reset())


for each in (ignition, kargs, network, extract):
    command.add_command(each)
