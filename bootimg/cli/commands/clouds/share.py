"""`bootimg share`: cloud images, granted to other accounts."""

from __future__ import annotations

import click

from bootimg.cli.options.cloudoptions import (
    CloudArguments,
    cloud_options,
    grant_option,
    region_option,
    run_cloud,
)
from bootimg.cli.options.common import common
from bootimg.cli.output.session import App


@click.command(
    epilog="""\
\b
Examples:
  bootimg share -p aws --grant 013116697141
  bootimg share 9.6.20261101-0 --stream rhel-9.6"""
)
@common
@cloud_options
@region_option
@grant_option
def command(app: App, cloud: CloudArguments, regions: tuple[str, ...], grants: tuple[str, ...]) -> None:
    """Grant the cloud images of BUILD to other accounts, in all their regions."""
    from bootimg.cloud.verbs import Verb

    run_cloud(app, Verb.SHARE, cloud, {"regions": regions, "grant_users": grants})
