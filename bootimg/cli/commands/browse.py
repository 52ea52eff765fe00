"""`bootimg browse`: the release browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from bootimg.cli.commands.bucketcommands import acl_option, endpoint_option
from bootimg.cli.commands.rpmdb import lists_option
from bootimg.cli.options.common import common
from bootimg.cli.output.session import App

if TYPE_CHECKING:
    from bootimg.builds.bucket.tree import Bucket

_LISTS = "package-lists"
_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command(
    epilog="""\
\b
Examples:
  bootimg browse -d site
  bootimg browse -o builds -d site --stream-metadata coreos-rhel-9.json \\
    --builds-url https://rhcos.mirror.openshift.com/art/storage/prod/streams/rhel-9.6/builds""",
)
@common
@click.option("--builds", type=_FOLDER, default=Path("builds"), show_default=True, metavar="DIR",
              envvar="BOOTIMG_BUILDS", show_envvar=True, help="The tree of builds.")  # fmt: skip
@click.option("-o", "short", type=_FOLDER, metavar="DIR",
              help="The same as --builds.  Without --output it means the site's folder, as in older versions,"
              " with a warning.")  # fmt: skip
@click.option("-d", "--output", type=_FOLDER, metavar="DIR",
              help="The site's folder; an older site of bootimg is replaced.  [required]")  # fmt: skip
@click.option("--stream-metadata", "metadata", multiple=True, metavar="FILE",
              type=click.Path(path_type=Path, dir_okay=False),
              help="Show the state of this stream too; repeatable.")  # fmt: skip
@click.option("--builds-url", "url", metavar="URL", envvar="BOOTIMG_BROWSE_BUILDS_URL", show_envvar=True,
              help="URL of the published tree, for links to artifacts.  [default: the tree itself, if it is"
              " beside the site]")  # fmt: skip
@click.option("--push", "target", metavar="s3://…", help="Push the site to this folder of a bucket.")
@endpoint_option
@acl_option
@lists_option
def command(
    app: App,
    builds: Path,
    short: Path | None,
    output: Path | None,
    metadata: tuple[Path, ...],
    url: str | None,
    target: str | None,
    endpoint_url: str | None,
    acl: str | None,
    lists: Path | None,
) -> None:
    """Write the release browser of a tree of builds: plain HTML that needs no server."""
    from bootimg.browse.links import artifacts_of
    from bootimg.browse.packages import PackageReader
    from bootimg.browse.pages import pages
    from bootimg.browse.publish import publish, require_replaceable
    from bootimg.browse.pushing import push_site
    from bootimg.browse.site import read_site
    from bootimg.rpmdb.listcache import ListCache

    bucket = _bucket(target, endpoint_url, acl) if target else None
    builds, output = _folders(app, builds, short, output)
    require_replaceable(output)
    artifacts = artifacts_of(builds, output, url)
    reader = PackageReader(app.cache, app.events, ListCache(lists or app.cache.folder(_LISTS)))
    site = read_site(builds, metadata, artifacts, reader)
    count = publish(output, pages(site))
    unknown = [
        {"id": build, "arch": arch, "reason": found.reason}
        for (build, arch), found in site.packages.items()
        if found.found is None
    ]
    pushed = push_site(output, bucket, app.events) if bucket else None
    document = {
        "path": str(output),
        "files": count,
        "builds": len(site.builds),
        "streams": [each.stream.stream for each in site.streams],
        "without-packages": unknown,
        **({} if pushed is None else {"pushed": pushed}),
    }
    app.result(document, f"{output / 'index.html'}\n{len(site.builds)} builds, {len(site.streams)} streams")


def _bucket(target: str, endpoint: str | None, acl: str | None) -> Bucket:
    from bootimg.builds.bucket.s3client import parse_place
    from bootimg.builds.bucket.tree import Bucket

    return Bucket(parse_place(target, endpoint=endpoint), acl=acl)


def _folders(app: App, builds: Path, short: Path | None, output: Path | None) -> tuple[Path, Path]:
    """The tree of builds and the site's folder.

    `-o` meant the site's folder in older versions. It still does where `-d` is not given.
    """
    if output is None and short is None:
        raise click.UsageError("name the site's folder with -d")
    if output is None:
        assert short is not None
        text = f"-o is the tree of builds; name the site's folder with -d: `bootimg browse -d {short}`"
        app.events.message(text, "warning")
        return builds, short
    if short is None:
        return builds, output
    named = click.get_current_context().get_parameter_source("builds") is ParameterSource.COMMANDLINE
    if named and short != builds:
        raise click.UsageError("-o and --builds are the same option, and name two trees of builds")
    return short, output
