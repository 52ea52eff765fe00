"""What the verbs that read or change an ISO share: the ISO, the output, and how a change is written."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bootimg.cli.output.session import App
from bootimg.printable import printable
from bootimg.untrusted.limits import Limits

if TYPE_CHECKING:
    from bootimg.live.embed.edit import Edit

_EXISTING = click.Path(path_type=Path, exists=True, dir_okay=False)

iso_argument = click.argument("iso", type=_EXISTING)
"""Passes `iso: Path`."""

output_option = click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write a changed copy (- is stdout); the ISO stays as it is.",
)
"""Passes `output: Path | None`."""

replace_option = click.option("-f", "--force", is_flag=True, help="Replace what is embedded already.")
"""Passes `force: bool`."""

config_option = click.option(
    "-i",
    "--ignition",
    "config",
    type=click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True),
    default="-",
    metavar="FILE",
    help="The Ignition config, or Butane config by its suffix.  [default: stdin]",
)
"""Passes `config: Path`; `read_ignition` reads it."""


def read_ignition(config: Path) -> bytes:
    """The config of `config_option`."""
    from bootimg.vm.ignition import read_config

    return read_config(Path("/dev/stdin") if str(config) == "-" else config)


def change(app: App, iso: Path, output: Path | None, limits: Limits, edit: Edit) -> None:
    """Change the ISO, or write a changed copy, and say so."""
    from bootimg.live.embed import edit as writing

    if output is not None and str(output) == "-":
        refuse_terminal()
        writing.edit_stream(iso, edit, sys.stdout.buffer, limits)
        return
    if output is None:
        writing.edit_in_place(iso, edit, limits)
    else:
        writing.edit_copy(iso, output, edit, limits)
    changed = output or iso
    app.result(
        {"iso": str(changed)}, printable(f"changed {changed}" if output is None else f"wrote {changed}")
    )


def refuse_terminal() -> None:
    """A usage error if stdout, which gets binary data, is a terminal."""
    if sys.stdout.isatty():
        raise click.UsageError("stdout is a terminal: give a file with -o, or redirect it")
