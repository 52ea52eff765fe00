"""Rules about the files that a stream names: they must match the builds and the server's files."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bootimg.errors import BootimgError
from bootimg.streams.lint.findings import Against, StreamFinding
from bootimg.streams.lint.sources import Builds
from bootimg.streams.metadata.buildmeta import BuiltFile
from bootimg.streams.metadata.download import digest
from bootimg.streams.metadata.inventory import ARTIFACTS, Item, Place, inventory
from bootimg.streams.metadata.stream import Stream
from bootimg.urls import name_in


def file_findings(
    stream: Stream, against: Against, builds: Builds, tell: Callable[[str], None]
) -> Iterator[StreamFinding]:
    """Digests and sizes that differ from meta.json or from the downloaded files."""
    for place, item in inventory(stream).items():
        if place.section == ARTIFACTS:
            found = _file(place, item, builds)
            if isinstance(found, StreamFinding):
                yield found
                continue
            if found is not None:
                yield from _built(place, item, found)
            if against.download:
                tell(item.values["location"])
                yield from _downloaded(place, item, found)


def _file(place: Place, item: Item, builds: Builds) -> BuiltFile | StreamFinding | None:
    """An artifact's entry in meta.json; a finding if it is missing, None without a source of builds."""
    build = builds.find(place, item)
    if build is None or isinstance(build, StreamFinding):
        return build
    name = name_in(item.values["location"])
    unknown = StreamFinding("file-unknown", str(place), f"the build has no image {name}")
    return build.meta.file_named(name) or unknown


def _built(place: Place, item: Item, file: BuiltFile) -> Iterator[StreamFinding]:
    pairs = (("sha256", file.sha256), ("uncompressed-sha256", file.uncompressed_sha256))
    for key, wanted in pairs:
        if item.values.get(key) != wanted:
            message = f"{key} is {item.values.get(key)}, and {wanted} in meta.json"
            yield StreamFinding("digest-mismatch", str(place), message)


def _downloaded(place: Place, item: Item, file: BuiltFile | None) -> Iterator[StreamFinding]:
    try:
        found = digest(item.values["location"])
    except BootimgError as error:
        yield StreamFinding("download-failed", str(place), error.message)
        return
    if file is not None and file.size not in (None, found.size):
        message = f"it has {found.size} bytes, and {file.size} in meta.json"
        yield StreamFinding("size-mismatch", str(place), message)
    if found.sha256 != item.values["sha256"]:
        yield StreamFinding("digest-mismatch", str(place), f"sha256 of the file is {found.sha256}")
