"""`bootimg stream index`: a stream's releases.json, as a file or in a bucket."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import click

from bootimg.cli.app import App
from bootimg.cli.bucket import acl_option, endpoint_option
from bootimg.cli.options import common, dry_run_option
from bootimg.cli.streamoptions import Chosen, build_options, metadata
from bootimg.errors import BootimgError

if TYPE_CHECKING:
    from bootimg.builds.bucket import Bucket
    from bootimg.streams.releaseindex import Index

_TRIES = 20


class _Target(Protocol):
    """Where an index is."""

    def read(self) -> tuple[bytes, str | None]:
        """Its bytes, those of an empty object where there is none, and what tells this version of it."""

    def write(self, data: bytes, version: str | None) -> bool:
        """Put other bytes there, unless another version is there meanwhile; whether it did."""


@dataclass(frozen=True, slots=True)
class _File:
    path: Path

    def read(self) -> tuple[bytes, str | None]:
        from bootimg.streams.stream import read_file

        return (read_file(self.path) if self.path.exists() else b"{}"), None

    def write(self, data: bytes, version: str | None) -> bool:
        from bootimg.atomic import write_whole

        write_whole(self.path, data)
        return True


@dataclass(frozen=True, slots=True)
class _Object:
    bucket: Bucket
    key: str

    def read(self) -> tuple[bytes, str | None]:
        there = self.bucket.read(self.key)
        return (there.data, there.etag) if there else (b"{}", None)

    def write(self, data: bytes, version: str | None) -> bool:
        return self.bucket.put(self.key, data, version)


@click.command(
    epilog="""\
\b
Examples:
  bootimg stream index latest --target releases.json --name rhel-9.6
  bootimg stream index --target s3://art/prod/streams/rhel-9.6/releases.json"""
)
@common
@build_options
@click.option("--target", required=True, metavar="FILE|s3://…", help="The index; made where it is not.")
@endpoint_option
@acl_option
@dry_run_option
def index(
    app: App, chosen: Chosen, target: str, endpoint_url: str | None, acl: str | None, dry_run: bool
) -> None:
    """List a release in the stream's releases.json.

    BUILD is taken with all its architectures, ARCH=BUILD with one. A release that is listed is only
    added to, and only while it is the newest.
    """
    place = _target(target, endpoint_url, acl)
    after, changed = _update(place, target, chosen, dry_run=dry_run)
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


def _target(target: str, endpoint: str | None, acl: str | None) -> _Target:
    if not target.startswith("s3://"):
        return _File(Path(target))
    from bootimg.builds.bucket import Bucket
    from bootimg.builds.s3client import parse_place

    folder, _, name = target.rpartition("/")
    return _Object(Bucket(parse_place(folder, endpoint=endpoint), acl=acl), name)


def _update(place: _Target, name: str, chosen: Chosen, *, dry_run: bool) -> tuple[Index, bool]:
    """The index with the release, and whether that changed it."""
    from bootimg.streams.media import release_of
    from bootimg.streams.releaseindex import index_release, parse_index, with_release

    builds, published = chosen.read()
    release, now = index_release(release_of(builds, published), published), metadata()
    for _ in range(_TRIES):
        data, version = place.read()
        before = parse_index(data, name, published.stream)
        after = with_release(before, published.stream, release, now)
        if after == before or dry_run or place.write(after.encoded(), version):
            return after, after != before
    raise BootimgError(
        "bucket-changing",
        f"{name} was changed by others each of {_TRIES} times that it was to be written",
        hint="run the same command again",
    )
