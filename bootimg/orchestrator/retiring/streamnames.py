"""What must stay: images that the files of streams name, and the barriers of release indexes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bootimg.cloud.registries.retiring import image_names, recorded_images
from bootimg.orchestrator.retiring.uploads import Recorded
from bootimg.platform import Upload, UploadForm
from bootimg.streams.metadata.gojson import malformed_stream
from bootimg.streams.metadata.inventory import ARTIFACTS, inventory
from bootimg.streams.metadata.stream import read_file, read_stream
from bootimg.untrusted.jsonfile import parse_object

_LOCATING = ("image", "digest-ref", "url", "name")
"""The values of a stream's entry that each say which image it is."""


@dataclass(frozen=True, slots=True)
class StreamNames:
    """The builds and the images that a stream's file names; `file` is for messages."""

    file: str
    releases: frozenset[str]
    images: frozenset[str]

    def name(self, build_id: str, records: Sequence[Recorded]) -> bool:
        """Whether it names a build or one of the build's images."""
        found = (
            each for record in records for entry in record.entries for each in _names(record.upload, entry)
        )
        return build_id in self.releases or not self.images.isdisjoint(found)


def read_stream_names(path: Path) -> StreamNames:
    """What the stream in a file names; `stream-malformed`, `stream-unreadable`."""
    stream = read_stream(path)
    items = inventory(stream)
    clouds = [item for place, item in items.items() if place.section != ARTIFACTS]
    images = (item.values.get(key) for item in clouds for key in _LOCATING)
    return StreamNames(
        f"{path.name} (stream {stream.stream})",
        frozenset(each.release for each in items.values() if each.release),
        frozenset(filter(None, images)),
    )


def read_barriers(path: Path) -> frozenset[str]:
    """The releases that an update graph or a release index marks as barriers; `stream-malformed`.

    The mark is `barrier` in the release's `metadata`, as Fedora CoreOS's update graphs have it, or in the
    release itself.
    """
    fields = parse_object(read_file(path), partial(malformed_stream, str(path)))
    found = {}
    for release in fields.objects("releases"):
        marked = not release.is_absent("barrier") or "barrier" in release.members("metadata")
        found[release.required("version", str)] = marked
    return frozenset(version for version, marked in found.items() if marked)


def _names(upload: Upload, entry: Mapping[str, Any]) -> Iterator[str]:
    """What a stream can call the image of an entry in meta.json."""
    match upload.form:
        case UploadForm.REGION_IMAGES:
            yield entry[upload.id_field]
        case UploadForm.REGION_OBJECTS | UploadForm.URL:
            yield entry["url"]
        case UploadForm.PROJECT_IMAGE:
            yield entry["image"]
        case UploadForm.CONTAINER:
            yield from (name for each in recorded_images(entry) for name in image_names(each))
