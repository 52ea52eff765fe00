"""`bootimg platforms`: the platforms that images are made for."""

from __future__ import annotations

from dataclasses import asdict

import click

from bootimg.arch import Arch
from bootimg.cli.options.common import common
from bootimg.cli.output.session import App
from bootimg.cli.output.table import table
from bootimg.platform import Platform, registry


@click.command(
    epilog="""\
\b
Examples:
  bootimg platforms
  bootimg platforms --json"""
)
@common
def command(app: App) -> None:
    """List the platforms images are made for, their formats and architectures."""
    found = registry()
    known = list(found.platforms.values())
    for broken in found.broken.values():
        app.events.message(f"{broken.name} is left out ({broken.error}): {broken.reason}", "warning")
    document = {
        "platforms": [_entry(each) for each in known],
        "broken": [asdict(each) for each in found.broken.values()],
    }
    app.result(document, _table(known, app.width))


def _entry(platform: Platform) -> dict[str, object]:
    return {
        "name": platform.name,
        "summary": platform.summary,
        "arches": [str(arch) for arch in Arch if arch in platform.arches],
        "format": platform.disk_format,
        "format-options": dict(platform.format_options),
        "suffix": platform.suffix,
        "packaging": str(platform.packaging),
        "size": platform.size if isinstance(platform.size, int) else str(platform.size),
        "size-multiple": platform.size_multiple_mib,
        "sector-size": platform.sector_size,
        "skip-compression": platform.skip_compression,
        "ignition-platform": platform.ignition_id,
        "image-key": platform.image_key,
        "release-key": list(platform.release_key),
        "uploader": platform.uploader,
        "uploads": [
            {"meta-key": each.meta_key, "form": str(each.form), "extension": each.extension}
            for each in platform.uploads
        ],
        "consoles": {
            str(arch): {
                "grub-commands": list(console.grub_commands),
                "kernel-arguments": list(console.kernel_arguments),
            }
            for arch, console in sorted(platform.consoles.items())
        },
    }


def _table(known: list[Platform], width: int | None) -> str:
    rows = [["platform", "file", *Arch, "for"]]
    for platform in known:
        marks = ["yes" if arch in platform.arches else "-" for arch in Arch]
        rows.append([platform.name, f".{platform.suffix}", *marks, platform.summary])
    return "\n".join(table(rows, width=width, header=True))
