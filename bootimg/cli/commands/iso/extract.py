"""`bootimg iso extract`: files out of a live ISO."""

from __future__ import annotations

from pathlib import Path

import click

from bootimg.cli.commands.iso.arguments import iso_argument
from bootimg.cli.commands.iso.minimal import minimal
from bootimg.cli.options.common import common, folder_type, limit_option
from bootimg.cli.output.session import App
from bootimg.printable import printable
from bootimg.untrusted.budget import Budget
from bootimg.untrusted.limits import Limits


@click.group("extract")
def extract() -> None:
    """Write files of the ISO."""


@extract.command("pxe")
@common
@limit_option
@iso_argument
@click.option(
    "-C", "--directory", type=folder_type, default=".", metavar="DIR", help="Where to.  [default: here]"
)
def pxe(app: App, iso: Path, directory: Path, limits: Limits) -> None:
    """Write the files for PXE: kernel, initramfs and rootfs."""
    from bootimg.atomic import make_folder
    from bootimg.disk.extents import FileSource
    from bootimg.live.embed.pxe import extract_pxe
    from bootimg.live.iso.image import IsoImage

    make_folder(directory, "choose another folder with -C")
    with FileSource(iso) as source:
        paths = [str(path) for path in extract_pxe(IsoImage(source, Budget(limits)), directory, iso.stem)]
    app.result({"files": paths}, "\n".join(map(printable, paths)))


extract.add_command(minimal)
