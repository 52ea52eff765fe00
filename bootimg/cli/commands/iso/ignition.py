"""`bootimg iso ignition`: the Ignition config that the live system runs."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from bootimg.cli.commands.iso.arguments import (
    change,
    config_option,
    iso_argument,
    output_option,
    read_ignition,
    replace_option,
)
from bootimg.cli.options.common import common, limit_option
from bootimg.cli.output.session import App
from bootimg.untrusted.limits import Limits


@click.group("ignition")
def ignition() -> None:
    """Embed, show and remove the Ignition config of the live system."""


@ignition.command("embed")
@common
@limit_option
@iso_argument
@config_option
@replace_option
@output_option
def embed(app: App, iso: Path, config: Path, force: bool, output: Path | None, limits: Limits) -> None:
    """Embed an Ignition config, which the live system runs when it boots."""
    from bootimg.live.embed.ignition import embed_ignition

    data = read_ignition(config)
    change(app, iso, output, limits, lambda found: embed_ignition(found, data, force=force))


@ignition.command("show")
@common
@limit_option
@iso_argument
def show(app: App, iso: Path, limits: Limits) -> None:
    """Print the embedded Ignition config, byte for byte; with --json inside a document."""
    from bootimg.live.embed.edit import opened_iso
    from bootimg.live.embed.ignition import ignition_config

    with opened_iso(iso, limits) as found:
        config = ignition_config(found)
    if app.json:
        app.result({"config": config.decode(errors="replace")}, "")
    else:
        sys.stdout.buffer.write(config)


@ignition.command("remove")
@common
@limit_option
@iso_argument
@output_option
def remove(app: App, iso: Path, output: Path | None, limits: Limits) -> None:
    """Remove the embedded Ignition config."""
    from bootimg.live.embed.ignition import remove_ignition

    change(app, iso, output, limits, remove_ignition)
