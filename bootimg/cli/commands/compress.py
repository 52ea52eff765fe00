"""`bootimg compress`: the images of a build, as the pipeline compresses them."""

from __future__ import annotations

from pathlib import Path

import click

from bootimg.cli.options.common import common
from bootimg.cli.options.compression import build_arguments, change_build, compressor_option
from bootimg.cli.output.session import App


@click.command(
    epilog="""\
\b
Examples:
  bootimg compress
  bootimg compress 9.6.20261101-0 --compressor xz"""
)
@common
@build_arguments
@compressor_option
def command(app: App, build: str, arch: str | None, builds: Path, compressor: str | None) -> None:
    """Compress the images of BUILD (an id, `latest` or a path); the new files replace the plain ones."""
    from bootimg.formats import Compressor
    from bootimg.orchestrator.compress import compress_images

    requested = Compressor(compressor) if compressor else None
    change_build(app, builds, build, arch, lambda folder: compress_images(folder, requested, app.events))
