"""`bootimg publish`: cloud images, made public and usable."""

from __future__ import annotations

import click

from bootimg.cli.options.cloudoptions import CloudArguments, cloud_options, region_option, run_cloud
from bootimg.cli.options.common import common
from bootimg.cli.output.session import App


@click.command(
    epilog="""\
\b
Examples:
  bootimg publish --stream rhel-9.6 -p aws
  bootimg publish 9.6.20261101-0 -p aws --dry-run"""
)
@common
@cloud_options
@region_option
def command(app: App, cloud: CloudArguments, regions: tuple[str, ...]) -> None:
    """Make the cloud images of BUILD public in all their regions.

    Images that the cloud has deprecated, disabled or made private meanwhile are restored.
    """
    from bootimg.cloud.verbs import Verb

    run_cloud(app, Verb.PUBLISH, cloud, {"regions": regions})
