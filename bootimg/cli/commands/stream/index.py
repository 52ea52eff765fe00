"""`bootimg stream index`: a stream's releases.json, as a file or in a bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bootimg.cli.commands.bucketcommands import acl_option, endpoint_option
from bootimg.cli.options.common import common, dry_run_option
from bootimg.cli.options.streamoptions import Chosen, build_options, metadata
from bootimg.cli.options.streamtarget import store_of
from bootimg.cli.output.session import App

if TYPE_CHECKING:
    from bootimg.builds.bucket.jsonstore import Store, Stored
    from bootimg.streams.metadata.releaseindex import Index


@click.command(
    epilog="""\
\b
Examples:
  bootimg stream index latest --target releases.json --name rhel-9.6
  bootimg stream index --target s3://art/prod/streams/rhel-9.6/releases.json"""
)
@common
@build_options
@click.option("--target", required=True, metavar="FILE|s3://…", help="The index; created if it is missing.")
@endpoint_option
@acl_option
@dry_run_option
def index(
    app: App, chosen: Chosen, target: str, endpoint_url: str | None, acl: str | None, dry_run: bool
) -> None:
    """List a release in the stream's releases.json.

    BUILD means all its architectures, ARCH=BUILD only one.  If the release is listed already, new
    architectures are added to it, but only if it is the newest.
    """
    store, key = store_of(target, endpoint_url, acl)
    after, changed = _update(store, key, target, chosen, dry_run=dry_run)
    version = after.releases[-1].version
    app.result(
        {"path": target, "release": version, "releases": len(after.releases), "changed": changed,
         "dry-run": dry_run},
        f"{version} {_WORDS[changed, dry_run]} {target}, release {len(after.releases)}",
    )  # fmt: skip


_WORDS = {
    (True, False): "is listed in",
    (True, True): "would be listed in",
    (False, False): "was listed in",
    (False, True): "was listed in",
}


def _update(store: Store, key: str, target: str, chosen: Chosen, *, dry_run: bool) -> tuple[Index, bool]:
    """The index with the release, and whether that changed it."""
    from bootimg.builds.bucket.jsonstore import rewrite
    from bootimg.streams.metadata.releaseindex import index_release, parse_index, with_release
    from bootimg.streams.metadata.releases import release_of

    builds, published = chosen.read()
    release, now = index_release(release_of(builds, published), published), metadata()

    def listed(there: Stored | None) -> tuple[tuple[Index, bool], bytes | None]:
        before = parse_index(there.data if there else b"{}", target, published.stream)
        after = with_release(before, published.stream, release, now)
        return (after, after != before), None if dry_run or after == before else after.encoded()

    return rewrite(store, key, listed)
