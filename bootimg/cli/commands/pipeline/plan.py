"""`bootimg pipeline plan`: what a run of the pipeline does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bootimg.cli.commands.bucketcommands import endpoint_option
from bootimg.cli.commands.pipeline.render import builds_url_option, stream_options, stream_url_option
from bootimg.cli.options.common import builds_option, common, registry_options
from bootimg.cli.output.session import App
from bootimg.printable import printable

if TYPE_CHECKING:
    from bootimg.layer.fetching.fetch import RegistryOptions
    from bootimg.pipelines.stages import Stages


@click.command(
    epilog="""\
\b
Examples:
  bootimg pipeline plan --stream rhel-9.6 --streams pipecfg/config.yaml"""
)
@common
@click.argument("image", required=False)
@stream_options
@builds_url_option
@stream_url_option
@endpoint_option
@builds_option
@registry_options
def plan(
    app: App,
    image: str | None,
    stream: str,
    streams: Path,
    builds_url: str | None,
    stream_url: str | None,
    endpoint_url: str | None,
    builds: Path,
    registry: RegistryOptions,
) -> None:
    """Show what a run of the pipeline does for a stream: architectures, clouds, stages.

    Reads the stream's file, the manifests of the layer IMAGE (the stream's by default) and the bucket;
    changes nothing.
    """
    from bootimg.pipelines.stages import StagesRequest, plan_stages

    found = plan_stages(
        StagesRequest(
            stream=stream,
            streams=streams,
            builds=builds,
            layer=image or None,
            builds_url=builds_url,
            stream_url=stream_url,
            endpoint=endpoint_url,
            registry=registry,
        ),
        app.cache,
        app.events,
    )
    app.result(found.as_dict(), "\n".join(map(printable, _lines(found))))


def _lines(found: Stages) -> Iterator[str]:
    yield f"build      {found.build}"
    yield f"layer      {found.layer}"
    yield f"arches     {', '.join(found.arches)}"
    yield f"make       {', '.join(found.missing) or 'nothing: the bucket has all'}"
    yield f"push       {', '.join(found.registries) or 'nothing'}"
    yield f"upload     {', '.join(found.clouds) or 'nothing'}"
    yield f"publish    {found.stream_url if found.skip_reason is None else 'nothing'}"
    if found.skip_reason:
        yield f"skipped    disk images: {found.skip_reason}"
    yield from (f"left out   {name}: {why}" for name, why in found.left_out.items())
