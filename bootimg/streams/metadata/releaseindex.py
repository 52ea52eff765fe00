"""releases.json: the releases of a stream, the newest last, in the type release.Index of stream-metadata-go.

It only grows: a listed release changes only while it is the last one, and only by additions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from bootimg.errors import BootimgError, ExitCode
from bootimg.printable import printable
from bootimg.streams.metadata.codec import Reader, tree_of
from bootimg.streams.metadata.gojson import go_json, parse_tree
from bootimg.streams.metadata.release import Release
from bootimg.streams.metadata.releases import Published
from bootimg.streams.metadata.stream import Metadata
from bootimg.urls import joined

NOTE = "For the tooling of releases only: everybody else finds releases in the metadata of streams."


@dataclass(frozen=True, slots=True)
class IndexCommit:
    """The ostree commit of an architecture."""

    architecture: str
    checksum: str


@dataclass(frozen=True, slots=True)
class IndexImage:
    """The container image of an architecture."""

    image: str
    digest_ref: str
    architecture: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexRelease:
    """A release: its version, and the URL of its release.json."""

    commits: Sequence[IndexCommit] = ()
    oci_images: Sequence[IndexImage] = ()
    version: str
    metadata_url: str = field(metadata={"key": "metadata"})

    def extends(self, other: IndexRelease) -> bool:
        """Whether it has all commits and images of the other release."""
        return self.things() >= other.things()

    def things(self) -> set[IndexCommit | IndexImage]:
        """The commits and images."""
        return {*self.commits, *self.oci_images}


@dataclass(frozen=True, slots=True)
class Index:
    """A releases.json."""

    note: str
    releases: Sequence[IndexRelease]
    metadata: Metadata
    stream: str

    def encoded(self) -> bytes:
        """The file's bytes, in one line as plume writes them."""
        return go_json(tree_of(self), indent=None)


def parse_index(data: bytes, name: str, stream: str) -> Index:
    """Parse an index; an empty object gives a new index of `stream`.  Error: `stream-malformed`."""
    tree = parse_tree(data, name)
    if not tree:
        return Index(NOTE, (), Metadata(""), stream)
    return Reader(name).read(Index, tree)


def index_release(release: Release, published: Published) -> IndexRelease:
    """The index's entry for a release."""
    arches = sorted(release.architectures.items())
    images = ((name, each.oci_image) for name, each in arches)
    return IndexRelease(
        commits=tuple(IndexCommit(name, each.commit) for name, each in arches if each.commit),
        oci_images=tuple(
            IndexImage(each.image or "", each.digest_ref or "", name) for name, each in images if each
        ),
        version=release.release,
        metadata_url=joined(published.base, f"{published.stream}/builds/{release.release}/release.json"),
    )


def with_release(index: Index, stream: str, release: IndexRelease, now: Metadata) -> Index:
    """The index with the release as its last one; unchanged if it has all of the release already.

    `release-index-conflict` if other releases follow it and it would change, if the listed entry has a commit
    or image that the release lacks, or if the index belongs to another stream.
    """
    if index.stream and index.stream != stream:
        raise _conflict(f"the index belongs to {printable(index.stream)}, not to {stream}", [])
    last = index.releases[-1] if index.releases else None
    earlier = next((each for each in index.releases[:-1] if each.version == release.version), None)
    if earlier is not None:
        # A command that is repeated after another one has listed a newer release has nothing to do.
        if earlier.extends(release):
            return index
        raise _conflict(f"{release.version} is listed with less and is not the newest release", [])
    if last is None or last.version != release.version:
        return replace(index, releases=(*index.releases, release), metadata=now, stream=stream)
    if not release.extends(last):
        lost = _lines(last.things() - release.things())
        raise _conflict(
            f"{release.version} is listed with commits or images that the builds do not have", lost
        )
    if last.extends(release):
        return index
    return replace(index, releases=(*index.releases[:-1], release), metadata=now)


def _lines(things: Iterable[IndexCommit | IndexImage]) -> list[str]:
    return sorted(
        printable(f"{each.architecture}: {each.checksum if isinstance(each, IndexCommit) else each.image}")
        for each in things
    )


def _conflict(why: str, context: list[str]) -> BootimgError:
    return BootimgError(
        "release-index-conflict",
        f"the release cannot be listed: {why}",
        context=context,
        hint="an index only grows: list a newer build, or name all architectures of this one",
        exit_code=ExitCode.USAGE,
    )
