"""`bootimg iso`: what is embedded in a live ISO of CoreOS."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bootimg.cli.commands.iso.arguments import change, iso_argument, output_option
from bootimg.cli.commands.iso.extract import extract
from bootimg.cli.commands.iso.ignition import ignition
from bootimg.cli.commands.iso.kargs import kargs
from bootimg.cli.commands.iso.network import network
from bootimg.cli.options.common import common
from bootimg.cli.output.session import App
from bootimg.cli.output.table import table

if TYPE_CHECKING:
    from bootimg.live.embed.coreosiso import CoreosIso


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
@iso_argument
def show(app: App, iso: Path) -> None:
    """Show what an ISO boots, its areas and what is in them."""
    from bootimg.live.embed.edit import opened_iso

    with opened_iso(iso) as found:
        document = _document(found)
    app.result(document, "\n".join(table(_rows(document), width=app.width)))


@command.command("reset")
@common
@iso_argument
@output_option
def reset(app: App, iso: Path, output: Path | None) -> None:
    """Undo all changes: the ISO has the bytes that it was made with."""
    change(app, iso, output, lambda found: found.reset())


for each in (ignition, kargs, network, extract):
    command.add_command(each)


def _document(iso: CoreosIso) -> dict[str, Any]:
    kargs = iso.kargs_places
    return {
        "volume-id": iso.image.volume_id,
        "size": iso.image.source.size,
        "boot": [
            {"platform": each.platform, "offset": each.sector * 2048, "blocks": each.blocks}
            for each in iso.image.boot_entries()
        ],
        "ignition-area": {"offset": iso.initrd_area.offset, "length": iso.initrd_area.length},
        "embedded": sorted(iso.files),
        "network-supported": iso.has_network,
        "kargs-areas": [
            {"offset": each.area.offset, "length": each.area.length}
            for each in (kargs.places if kargs else ())
        ],
        "kargs": iso.kargs if kargs else None,
        "kargs-default": iso.default_kargs if kargs else None,
    }


def _rows(document: dict[str, Any]) -> list[tuple[str, str]]:
    area = document["ignition-area"]
    kargs = document["kargs-areas"]
    changed = "" if document["kargs"] == document["kargs-default"] else "  (changed)"
    names = {0: "BIOS", 0xEF: "UEFI"}
    boots = [names.get(each["platform"], f"platform {each['platform']}") for each in document["boot"]]
    return [
        ("volume id", document["volume-id"]),
        ("boots by", ", ".join(boots) or "no boot catalogue"),
        ("ignition area", f"{area['length']} bytes at {area['offset']}"),
        ("embedded", ", ".join(document["embedded"]) or "nothing"),
        ("network", "can be embedded" if document["network-supported"] else "cannot be embedded"),
        ("kargs areas", ", ".join(f"{each['length']} bytes at {each['offset']}" for each in kargs) or "none"),
        *([("kargs", document["kargs"] + changed)] if kargs else []),
    ]
