"""`bootimg pipeline render`: the PipelineRun of a stream."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from bootimg import defaults
from bootimg.cli.commands.bucketcommands import endpoint_option
from bootimg.cli.options.common import common
from bootimg.cli.options.streamchoice import complete_streams
from bootimg.cli.output.session import App

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

builds_url_option = click.option(
    "--builds-url", metavar="s3://…", envvar="BOOTIMG_BUILDS_URL", show_envvar=True,
    help="The folder of builds.json.  [default: that of the streams file]",
)  # fmt: skip
stream_url_option = click.option(
    "--stream-url", metavar="s3://…",
    help="The stream's metadata.  [default: streams/STREAM.json in the bucket of builds]",
)  # fmt: skip


def stream_options(function: Decorated) -> Decorated:
    """Passes `stream: str` and `streams: Path`."""
    for option in reversed(_STREAM):
        function = option(function)
    return function


_STREAM = (
    click.option("--stream", required=True, metavar="NAME", envvar="BOOTIMG_STREAM", show_envvar=True,
                 shell_complete=complete_streams, help="The stream."),
    click.option("--streams", type=click.Path(path_type=Path), default=defaults.STREAMS, show_default=True,
                 metavar="FILE", envvar="BOOTIMG_STREAMS", show_envvar=True,
                 help="The pipeline's file that describes the streams."),
)  # fmt: skip
_RUN = (
    click.option("--image", required=True, metavar="IMAGE", envvar="BOOTIMG_PIPELINE_IMAGE", show_envvar=True,
                 help="The container image of bootimg that the tasks run."),
    click.option("--namespace", metavar="NAME", help="The namespace.  [default: kubectl's]"),
    click.option("--layer", metavar="IMAGE", help="The layer.  [default: the stream's]"),
    builds_url_option,
    stream_url_option,
    click.option("--site-url", metavar="s3://…", help="The folder of the release browser.  [default: none]"),
    click.option("--published", metavar="URL",
                 help="The URL above STREAM/builds where users download.  [default: the mirror]"),
    endpoint_option,
    click.option("--tls-verify", type=bool, default=True, show_default=True, metavar="BOOLEAN",
                 help="Check the registry's certificate."),
    click.option("--gpg-key", metavar="ID", help="Sign with this GPG key, which is in --sign-secret."),
    click.option("--signatures", is_flag=True,
                 help="Name a .sig beside each file in the metadata; so does --gpg-key."),
    click.option("--replicate", is_flag=True, help="Copy cloud images to the other regions."),
    click.option("--config-map", metavar="NAME", default="bootimg-config", show_default=True,
                 help="The ConfigMap with config.yaml."),
    click.option("--s3-secret", metavar="NAME",
                 help="The secret with credentials and config for S3.  [default: the pods' identity]"),
    click.option("--registry-secret", metavar="NAME", help="The secret with the login of registries."),
    click.option("--sign-secret", metavar="NAME",
                 help="The secret with cosign.key and cosign.password, or gpg.key."),
    click.option("--cache-claim", metavar="NAME",
                 help="The PersistentVolumeClaim for what is kept between builds.  [default: none]"),
    click.option("--arch-nodes", is_flag=True,
                 help="Build each architecture on a node of its own; else any node builds all of them."),
    click.option("--service-account", metavar="NAME", help="The pods' service account."),
    click.option("--run-as", type=click.IntRange(min=1), metavar="UID",
                 help="The pods' user id, where the cluster picks none, as OpenShift does."),
    click.option("--timeout", default="12h", show_default=True, metavar="TIME",
                 help="The time for the whole run, as Tekton writes it."),
)  # fmt: skip


def _run_options(function: Decorated) -> Decorated:
    for option in reversed(_RUN):
        function = option(function)
    return function


@click.command(
    epilog="""\
\b
Examples:
  bootimg pipeline render --stream rhel-9.6 --image quay.io/example/bootimg:0.1.0 | kubectl create -f -"""
)
@common
@stream_options
@_run_options
def render(app: App, stream: str, streams: Path, endpoint_url: str | None, **options: Any) -> None:  # noqa: ANN401
    """Print the PipelineRun of a stream, as YAML for `kubectl create -f`."""
    from bootimg.pipelines.run import RunOptions, as_yaml, pipeline_run
    from bootimg.streams.pipeline.config import read_stream_config, read_streams_file

    config = read_stream_config(read_streams_file(streams), stream)
    run = pipeline_run(config, RunOptions(endpoint=endpoint_url, **options))
    app.result(run, as_yaml(run, config).rstrip())
