"""`bootimg iso kargs`: the kernel arguments of the live system."""

from __future__ import annotations

from pathlib import Path

import click

from bootimg.cli.commands.iso.arguments import change, iso_argument, output_option
from bootimg.cli.options.common import common, limit_option
from bootimg.cli.output.session import App
from bootimg.printable import printable
from bootimg.untrusted.limits import Limits

_arguments = click.argument("arguments", nargs=-1, required=True, metavar="ARGUMENT…")


@click.group("kargs")
def kargs() -> None:
    """Show and change the kernel arguments of the live system."""


@kargs.command("show")
@common
@limit_option
@iso_argument
@click.option("--default", is_flag=True, help="Those that the ISO was made with.")
def show(app: App, iso: Path, default: bool, limits: Limits) -> None:
    """Print the kernel arguments."""
    from bootimg.live.embed.edit import opened_iso

    with opened_iso(iso, limits) as found:
        text = found.default_kargs if default else found.kargs
    app.result({"kargs": text}, printable(text))


@kargs.command("append")
@common
@limit_option
@iso_argument
@_arguments
@output_option
def append(app: App, iso: Path, arguments: tuple[str, ...], output: Path | None, limits: Limits) -> None:
    """Add kernel arguments at the end."""
    from bootimg.live.embed.kargs import append_kargs

    change(app, iso, output, limits, lambda found: append_kargs(found, arguments))


@kargs.command("delete")
@common
@limit_option
@iso_argument
@_arguments
@output_option
def delete(app: App, iso: Path, arguments: tuple[str, ...], output: Path | None, limits: Limits) -> None:
    """Remove kernel arguments, each given whole, with its value."""
    from bootimg.live.embed.kargs import delete_kargs

    change(app, iso, output, limits, lambda found: delete_kargs(found, arguments))


@kargs.command("reset")
@common
@limit_option
@iso_argument
@output_option
def reset(app: App, iso: Path, output: Path | None, limits: Limits) -> None:
    """Restore the kernel arguments that the ISO was made with."""
    change(app, iso, output, limits, lambda found: found.with_kargs(found.default_kargs))
