"""`bootimg replicate`: cloud images, copied to other regions."""

from __future__ import annotations

import click

from bootimg.cli.options.cloudoptions import CloudArguments, cloud_options, region_option, run_cloud
from bootimg.cli.options.common import common
from bootimg.cli.output.session import App


@click.command(
    epilog="""\
\b
Examples:
  bootimg replicate --stream rhel-9.6 -p aws
  bootimg replicate -p aws --variant aws-winli --region eu-central-1,eu-west-1"""
)
@common
@cloud_options
@region_option
def command(app: App, cloud: CloudArguments, regions: tuple[str, ...]) -> None:
    """Copy the cloud images of BUILD to the other regions, and record them in its meta.json.

    All regions are tried, side by side.  If some fail, the exit code is 4; the same command does only
    these.
    """
    from bootimg.cloud.verbs import Verb

    run_cloud(app, Verb.REPLICATE, cloud, {"regions": regions})
