"""Rules about the images in clouds that a stream names: they must be those of the builds' meta.json."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bootimg.errors import BootimgError
from bootimg.streams.lint.findings import StreamFinding
from bootimg.streams.lint.sources import Builds
from bootimg.streams.metadata.buildmeta import Built
from bootimg.streams.metadata.inventory import ARTIFACTS, Item, Place, inventory
from bootimg.streams.metadata.release import stream_arch
from bootimg.streams.metadata.releases import Published, release_arch
from bootimg.streams.metadata.stream import Metadata, Stream

_ANYWHERE = Published("https://example.com", "any")
"""The location of artifacts, which is not compared."""
Items = Mapping[Place, Item]


def image_findings(stream: Stream, builds: Builds) -> Iterator[StreamFinding]:
    """Images in clouds that differ from meta.json, or that it does not have.

    Images without a release, such as those of a marketplace, are in no build.
    """
    known: dict[tuple[str, str | None], Items | StreamFinding] = {}
    for place, item in inventory(stream).items():
        if place.section == ARTIFACTS or not item.release:
            continue
        build = builds.find(place, item)
        if isinstance(build, StreamFinding):
            yield build
        elif build is not None:
            key = (place.arch, item.release)
            if key not in known:
                known[key] = _images(build)
            yield from _compared(place, item, known[key])


def _images(build: Built) -> Items | StreamFinding:
    """The entries that a stream of the build has."""
    release, arch = build.meta.buildid, build.meta.basearch
    try:
        made = stream_arch(release, release_arch(build, _ANYWHERE))
    except BootimgError as error:
        return StreamFinding("build-missing", f"{arch} {release}", error.message)
    return inventory(Stream("", Metadata(""), {arch: made}))


def _compared(place: Place, item: Item, known: Items | StreamFinding) -> Iterator[StreamFinding]:
    if isinstance(known, StreamFinding):
        yield known
    elif place not in known:
        yield StreamFinding("image-unknown", str(place), "the build's meta.json has no such image")
    else:
        wanted = known[place].values
        for key in sorted({*wanted, *item.values}):
            if (found := item.values.get(key)) != wanted.get(key):
                message = f"{key} is {found}, and {wanted.get(key)} in meta.json"
                yield StreamFinding("image-mismatch", str(place), message)
