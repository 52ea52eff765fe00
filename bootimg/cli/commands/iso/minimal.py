"""`bootimg iso extract minimal`: an ISO without the rootfs."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from bootimg.cli.commands.iso.arguments import iso_argument, refuse_terminal
from bootimg.cli.options.common import common, limit_option
from bootimg.cli.output.session import App
from bootimg.printable import printable
from bootimg.untrusted.limits import Limits

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("minimal")
@common
@limit_option
@iso_argument
@click.option(
    "-o",
    "--output",
    type=_FILE,
    required=True,
    metavar="FILE",
    help="The minimal ISO to write (- is stdout).",
)
@click.option("--rootfs-url", metavar="URL", help="Where the live system fetches its rootfs.")
@click.option("--output-rootfs", type=_FILE, metavar="FILE", help="Write the rootfs too (not with -o -).")
def minimal(
    app: App, iso: Path, output: Path, rootfs_url: str | None, output_rootfs: Path | None, limits: Limits
) -> None:
    """Write a minimal ISO, whose live system fetches its rootfs over the network.

    Without --rootfs-url, add the kernel argument coreos.live.rootfs_url= before the ISO is booted.
    """
    if output_rootfs is not None and (str(output) == "-" or output_rootfs == output):
        raise click.UsageError("--output-rootfs and -o must be two files")
    from bootimg.live.embed.edit import opened_iso
    from bootimg.live.miniso.extract import extract_minimal, minimal_iso, write_minimal

    with opened_iso(iso, limits) as full:
        if str(output) == "-":
            refuse_terminal()
            write_minimal(minimal_iso(full, rootfs_url), sys.stdout.buffer)
            return
        extract_minimal(full, output, rootfs_url, output_rootfs)
    written = [str(path) for path in (output, output_rootfs) if path]
    app.result({"files": written}, "\n".join(printable(f"wrote {path}") for path in written))
