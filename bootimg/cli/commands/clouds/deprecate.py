"""`bootimg deprecate`: cloud images, marked as deprecated."""

from __future__ import annotations

import click

from bootimg.cli.options.cloudoptions import CloudArguments, cloud_options, region_option, run_cloud
from bootimg.cli.options.common import common
from bootimg.cli.output.session import App


@click.command(
    epilog="""\
\b
Examples:
  bootimg deprecate 9.6.20261101-0 -p aws
  bootimg deprecate 9.6.20261101-0 -p aws --region us-east-1 --dry-run"""
)
@common
@cloud_options
@region_option
def command(app: App, cloud: CloudArguments, regions: tuple[str, ...]) -> None:
    """Mark the cloud images of BUILD as deprecated, in all their regions; publish takes it back."""
    from bootimg.cloud.verbs import Verb

    run_cloud(app, Verb.DEPRECATE, cloud, {"regions": regions})
