"""`bootimg uncompress`: the images of a build as plain files again."""

from __future__ import annotations

from pathlib import Path

import click

from bootimg.cli.options.common import common, limit_option
from bootimg.cli.options.compression import build_arguments, change_build
from bootimg.cli.output.session import App
from bootimg.untrusted.limits import Limits


@click.command(
    epilog="""\
\b
Examples:
  bootimg uncompress
  bootimg uncompress 9.6.20261101-0 -o builds"""
)
@common
@build_arguments
@limit_option
def command(app: App, build: str, arch: str | None, builds: Path, limits: Limits) -> None:
    """Uncompress the images of BUILD (an id, `latest` or a path); plain files replace the compressed ones."""
    from bootimg.orchestrator.compress import uncompress_images

    change_build(app, builds, build, arch, lambda folder: uncompress_images(folder, app.events, limits))
