"""`bootimg pxe`: files for booting live media from the network."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from bootimg.cli.commands.iso.arguments import config_option, read_ignition, refuse_terminal
from bootimg.cli.options.common import common
from bootimg.cli.output.session import App
from bootimg.printable import printable


@click.group(
    "pxe",
    epilog="""\
\b
Examples:
  bootimg pxe ignition wrap -i config.ign -o ignition.img
  bootimg pxe ignition wrap -i config.bu > ignition.img""",
)
def command() -> None:
    """Make files for booting live media from the network."""


@command.group("ignition")
def ignition() -> None:
    """Ignition configs for PXE."""


@ignition.command("wrap")
@common
@config_option
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Write it here.  [default: stdout]")  # fmt: skip
def wrap(app: App, config: Path, output: Path | None) -> None:
    """Make an initramfs with an Ignition config; the boot loader gets it after the live initramfs."""
    from bootimg.atomic import write_whole
    from bootimg.live.embed.pxe import wrap_ignition

    to_stdout = output is None or str(output) == "-"
    if to_stdout:
        refuse_terminal()
    data = wrap_ignition(read_ignition(config))
    if output is None or to_stdout:
        sys.stdout.buffer.write(data)
    else:
        write_whole(output, data)
        app.result({"file": str(output)}, printable(f"wrote {output}"))
