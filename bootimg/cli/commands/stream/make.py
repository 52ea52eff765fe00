"""`bootimg stream generate`, `bump` and `merge`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bootimg.cli.commands.bucketcommands import acl_option, endpoint_option
from bootimg.cli.options.common import common, dry_run_option
from bootimg.cli.options.streamoptions import (
    Chosen,
    build_options,
    deliver,
    json_file,
    metadata,
    name_option,
    output_option,
    printable_lines,
)
from bootimg.cli.options.streamtarget import S3, store_of
from bootimg.cli.output.session import App
from bootimg.errors import BootimgError, ExitCode

if TYPE_CHECKING:
    from bootimg.builds.bucket.jsonstore import Stored
    from bootimg.streams.metadata.bump import Bumped
    from bootimg.streams.metadata.stream import Stream

FORMATS = ["stream", "release", "configmap", "assisted"]
named_files = click.option(
    "--marketplace", multiple=True, metavar="[NAME=]FILE", help="Add the data of a marketplace file."
)


@click.command(
    epilog="""\
\b
Examples:
  bootimg stream generate latest --name rhel-9.6
  bootimg stream generate --from coreos-rhel-9.json --format assisted --openshift-version 4.20"""
)
@common
@build_options
@click.option("--from", "files", multiple=True, metavar="[NAME=]FILE",
              help="Read a stream's file instead of builds; repeatable for a ConfigMap.")  # fmt: skip
@named_files
@click.option("--format", "what", type=click.Choice(FORMATS), default="stream", show_default=True,
              help="The output: a stream, a release.json, the ConfigMap coreos-bootimages, or the os_images"
              " of assisted-service.")  # fmt: skip
@click.option("--openshift-version", metavar="X.Y[.Z]",
              help="OpenShift's version, for os_images; with Z, URLs name mirror.openshift.com.")  # fmt: skip
@output_option
def generate(
    app: App,
    chosen: Chosen,
    files: tuple[str, ...],
    marketplace: tuple[str, ...],
    what: str,
    openshift_version: str | None,
    output: Path,
) -> None:
    """Make metadata from builds.

    BUILD means all its architectures, ARCH=BUILD only one.  The default is the latest build.
    """
    if what == "release":
        data = _release(chosen)
    else:
        streams = _sold(_streams(app, chosen, files), marketplace)
        data = _encoded(streams, what, openshift_version)
    deliver(app, data, output, what)


def _release(chosen: Chosen) -> bytes:
    from bootimg.streams.metadata.releases import release_of

    return replace(release_of(*chosen.read()), metadata=replace(metadata(), generator=None)).encoded()


def _streams(app: App, chosen: Chosen, files: tuple[str, ...]) -> Mapping[str, Stream]:
    """The streams by their names in a ConfigMap; the first is the default."""
    from bootimg.streams.metadata.bump import stream_of
    from bootimg.streams.metadata.stream import read_stream

    if not files:
        stream = stream_of(*chosen.read(), metadata())
        return {stream.stream: stream}
    return {
        name: read_stream(path, lambda text: app.events.message(text, "warning"))
        for name, path in map(_named, files)
    }


def _named(word: str) -> tuple[str, Path]:
    """The two parts of NAME=FILE; the name of coreos-rhel-9.json is rhel-9, as in openshift/installer."""
    name, equals, path = word.partition("=")
    file = Path(path if equals else word)
    return (name if equals else file.stem.removeprefix("coreos-").removeprefix("scos-")), file


def _sold(streams: Mapping[str, Stream], marketplace: tuple[str, ...]) -> Mapping[str, Stream]:
    from bootimg.streams.metadata.bump import with_marketplace
    from bootimg.streams.metadata.stream import read_marketplace

    found = dict(streams)
    for word in marketplace:
        name, path = _named(word)
        (name,) = found if len(found) == 1 else (name,)
        if name not in found:
            raise _usage(
                f"{path} is for the stream {name}, which is not given", "write NAME=FILE for both files"
            )
        found[name] = with_marketplace(found[name], read_marketplace(path))
    return found


def _encoded(streams: Mapping[str, Stream], what: str, openshift: str | None) -> bytes:
    first = next(iter(streams))
    if what == "configmap":
        from bootimg.streams.metadata.configmap import config_map

        return config_map(streams, first)
    if len(streams) > 1:
        raise _usage("this format holds one stream only", "name one file, or merge them first")
    if what == "stream":
        return streams[first].encoded()
    if openshift is None:
        raise _usage("os_images need a version of OpenShift", "add --openshift-version, such as 4.20")
    from bootimg.streams.metadata.assisted import encoded, os_images

    return encoded(os_images(streams[first], openshift))


@click.command(
    epilog="""\
\b
Examples:
  bootimg stream bump --target coreos-rhel-9.json latest
  bootimg stream bump --target rhcos.json --distro rhcos --no-signatures --name rhel-9.6 \\
    --url https://rhcos.mirror.openshift.com/art/storage/prod/streams x86_64=9.6.20250513-0"""
)
@common
@build_options
@click.option("--target", required=True, metavar="FILE|s3://…",
              help="The stream's file, which is updated; one in a bucket may be missing.")  # fmt: skip
@click.option("--keep-newer", is_flag=True, help="Leave architectures that have a newer release already.")
@endpoint_option
@acl_option
@dry_run_option
def bump(
    app: App,
    chosen: Chosen,
    target: str,
    keep_newer: bool,
    endpoint_url: str | None,
    acl: str | None,
    dry_run: bool,
) -> None:
    """Update a stream's file to newer builds.

    BUILD means all its architectures, ARCH=BUILD only one.  Other architectures and marketplace data stay
    unchanged.
    """
    from hashlib import sha256

    from bootimg.builds.bucket.jsonstore import rewrite
    from bootimg.printable import printable
    from bootimg.streams.lint.comparerules import lost_things
    from bootimg.streams.metadata.bump import bump as bumped
    from bootimg.streams.metadata.stream import Stream, parse_stream, read_file
    from bootimg.streams.metadata.streamdiff import as_document, as_lines, difference

    if not target.startswith(S3):
        # A file that is not there is refused before builds are fetched.
        read_file(Path(target))
    store, key = store_of(target, endpoint_url, acl)
    (builds, published), now = chosen.read(), metadata()

    def changed(there: Stored | None) -> tuple[tuple[Stream, Bumped], bytes | None]:
        if there is None and target.startswith(S3):
            before = Stream(published.stream, now, {})
        else:
            data = there.data if there else read_file(Path(target))
            before = parse_stream(data, target, lambda text: app.events.message(text, "warning"))
        done = bumped(before, builds, published, now, keep_newer=keep_newer)
        same = done.stream == before
        return (before, done), None if dry_run or same else done.stream.encoded()

    before, done = rewrite(store, key, changed)
    lost = [f"{each.place}: {each.message}" for each in lost_things(before, done.stream)]
    for note in [*done.notes, *lost]:
        app.events.message(printable(note), "warning")
    found = difference(before, done.stream)
    digest = sha256(done.stream.encoded()).hexdigest()
    facts = {"path": target, "changed": done.stream != before, "sha256": digest, "dry-run": dry_run}
    notes = {"notes": [*done.notes, *lost]}
    app.result({**facts, **notes, **as_document(found)}, printable_lines(as_lines(found)))


@click.command(
    epilog="""\
\b
Examples:
  bootimg stream merge x86_64.json aarch64.json --output rhel-9.6.json
  bootimg stream merge coreos-rhel-9.json --marketplace marketplace/coreos-rhel-9.json"""
)
@common
@click.argument("files", nargs=-1, required=True, metavar="FILE…", type=json_file)
@name_option
@named_files
@output_option
def merge(
    app: App, files: tuple[Path, ...], name: str | None, marketplace: tuple[str, ...], output: Path
) -> None:
    """Merge files with different architectures into one stream."""
    from bootimg.streams.metadata.bump import merge as merged
    from bootimg.streams.metadata.stream import read_stream

    streams = [read_stream(each, lambda text: app.events.message(text, "warning")) for each in files]
    stream = merged(streams, name, metadata())
    deliver(app, _sold({stream.stream: stream}, marketplace)[stream.stream].encoded(), output, "stream")


def _usage(message: str, hint: str) -> BootimgError:
    return BootimgError("stream-argument-invalid", message, hint=hint, exit_code=ExitCode.USAGE)
