"""`bootimg manifest`: the osbuild manifest that describes how an image's disk is made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bootimg.arch import Arch
from bootimg.cli.options.buildoptions import size_option, target_imgref_option
from bootimg.cli.options.common import (
    arch_option,
    chosen_platforms,
    common,
    limit_option,
    platform_option,
    registry_options,
)
from bootimg.cli.output.session import App
from bootimg.untrusted.limits import Limits

if TYPE_CHECKING:
    from bootimg.layer.fetching.fetch import RegistryOptions


@click.command(
    epilog="""\
\b
Examples:
  bootimg manifest quay.io/fedora/fedora-coreos:stable
  bootimg manifest layer.ociarchive -p qemu > manifest.json"""
)
@common
@click.argument("image")
@platform_option
@arch_option
@size_option
@target_imgref_option
@registry_options
@limit_option
def command(
    app: App,
    image: str,
    platforms: tuple[str, ...],
    arch: Arch,
    size: int | None,
    target_imgref: str | None,
    registry: RegistryOptions,
    limits: Limits,
) -> None:
    """Print the osbuild manifest of an image: what osbuild would run, as one JSON document."""
    from bootimg.manifest.render import canonical_json
    from bootimg.orchestrator.recipes.document import manifest_of
    from bootimg.orchestrator.request import Request

    request = Request(
        reference=image,
        arch=arch,
        platforms=tuple(chosen_platforms(platforms, arch)),
        builds=Path("builds"),
        registry=registry,
        limits=limits,
        target_imgref=target_imgref,
        size=size,
    )
    document = manifest_of(request, app.cache, app.events)
    app.result(document, canonical_json(document).rstrip("\n"))
