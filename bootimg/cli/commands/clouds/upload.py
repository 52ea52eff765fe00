"""`bootimg upload`: the images of a build, made in their clouds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bootimg.cli.options.cloudoptions import CloudArguments, cloud_options, grant_option, run_cloud
from bootimg.cli.options.common import common, limit_option, registry_options, split_names
from bootimg.cli.output.session import App

if TYPE_CHECKING:
    from bootimg.layer.fetching.fetch import RegistryOptions
    from bootimg.untrusted.limits import Limits


@click.command(
    epilog="""\
\b
Examples:
  bootimg upload --stream rhel-9.6 -p aws
  bootimg upload 9.6.20261101-0 -p aws --region us-east-1 --dry-run
  bootimg upload --stream stable --registry oscontainer,kubevirt"""
)
@common
@cloud_options
@click.option("--region", metavar="NAME", help="The primary region, where the image is made.")
@click.option("--via", metavar="WAY", help="The way, where a cloud has several: for AWS ebs or s3.")
@click.option("--bucket", metavar="NAME[/PREFIX]", help="The bucket, where a cloud needs one.")
@click.option("--public/--private", default=None, help="Whether everybody may use the image.")
@grant_option
@click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE", help="A tag of the image; repeatable.")
@click.option(
    "--image-json",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The layer's image.json.  [default: what the build's record or archive says]",
)
@click.option("-j", "--jobs", type=click.IntRange(1, 256), default=16, show_default=True, metavar="N",
              help="Parts that are sent at a time.")  # fmt: skip
@click.option("--registry", "targets", multiple=True, metavar="KIND[=REPO[:TAG]]", callback=split_names,
              help="Push to registries instead: oscontainer, extensions, kubevirt, disks or all; repeatable."
              "  [default repositories: the stream's]")  # fmt: skip
@registry_options
@limit_option
def command(
    app: App,
    cloud: CloudArguments,
    region: str | None,
    via: str | None,
    bucket: str | None,
    public: bool | None,
    grants: tuple[str, ...],
    tags: tuple[str, ...],
    image_json: Path | None,
    jobs: int,
    targets: tuple[str, ...],
    registry: RegistryOptions,
    limits: Limits,
) -> None:
    """Upload the images of BUILD (an id, `latest` or a path), and record them in its meta.json.

    Only what is missing is done.  After an interruption the same command continues.
    """
    if targets:
        from bootimg.cli.options.registrytargets import push

        push(app, cloud, targets, registry, limits)
        return
    from bootimg.cloud.verbs import Verb

    settings = {"primary_region": region, "via": via, "bucket": bucket, "public": public,
                "grant_users": grants, "tags": tags}  # fmt: skip
    run_cloud(app, Verb.UPLOAD, cloud, settings, image_json=image_json, workers=jobs, limits=limits)
