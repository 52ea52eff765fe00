"""`bootimg iso network`: the network of the live system."""

from __future__ import annotations

from pathlib import Path

import click

from bootimg.cli.commands.iso.arguments import change, iso_argument, output_option, replace_option
from bootimg.cli.options.common import common, folder_type, limit_option
from bootimg.cli.output.session import App
from bootimg.printable import printable
from bootimg.untrusted.limits import Limits


@click.group("network")
def network() -> None:
    """Embed, extract and remove the network configuration of the live system."""


@network.command("embed")
@common
@limit_option
@iso_argument
@click.option(
    "-k",
    "--keyfile",
    "keyfiles",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    multiple=True,
    required=True,
    metavar="FILE",
    help="A keyfile of NetworkManager; repeatable.",
)
@replace_option
@output_option
def embed(
    app: App, iso: Path, keyfiles: tuple[Path, ...], force: bool, output: Path | None, limits: Limits
) -> None:
    """Embed keyfiles of NetworkManager; they apply from the initramfs on."""
    from bootimg.live.embed.network import embed_keyfiles, read_keyfiles

    files = read_keyfiles(keyfiles)
    change(app, iso, output, limits, lambda found: embed_keyfiles(found, files, force=force))


@network.command("extract")
@common
@limit_option
@iso_argument
@click.option(
    "-C", "--directory", type=folder_type, metavar="DIR", help="Write them here instead of printing."
)
def extract(app: App, iso: Path, directory: Path | None, limits: Limits) -> None:
    """Print the embedded keyfiles, or write them to a folder."""
    from bootimg.atomic import make_folder
    from bootimg.live.embed.edit import opened_iso
    from bootimg.live.embed.network import extract_keyfiles, keyfiles

    with opened_iso(iso, limits) as found:
        files = keyfiles(found)
    texts = {name: data.decode(errors="replace") for name, data in files.items()}
    if directory is None:
        app.result({"keyfiles": texts}, "\n".join(_printed(name, text) for name, text in texts.items()))
        return
    make_folder(directory, "choose another folder with -C")
    paths = [str(path) for path in extract_keyfiles(files, directory)]
    app.result({"files": paths}, "\n".join(map(printable, paths)))


@network.command("remove")
@common
@limit_option
@iso_argument
@output_option
def remove(app: App, iso: Path, output: Path | None, limits: Limits) -> None:
    """Remove the embedded network configuration."""
    from bootimg.live.embed.network import remove_keyfiles

    change(app, iso, output, limits, remove_keyfiles)


def _printed(name: str, text: str) -> str:
    lines = [printable(line.expandtabs()) for line in text.splitlines()]
    return "\n".join([f"########## {name} ##########", *lines])
