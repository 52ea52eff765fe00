"""The uploads that a build's meta.json records, each with the uploader that can delete it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bootimg.arch import Arch
from bootimg.builds.diskrecord import DISKS_KEY, read_disk_pushes
from bootimg.builds.malformed import malformed_meta
from bootimg.cloud.registries.records import MORE
from bootimg.cloud.registry import uploader_of
from bootimg.cloud.results import entries_of
from bootimg.cloud.task import Entry, Uploader
from bootimg.errors import BootimgError
from bootimg.platform import Platform, Upload, UploadForm, platforms

_CONTAINERS = ("base-oscontainer", "oscontainer", "extensions-container", "legacy-oscontainer")
_LAYER = Platform(
    name="layer",
    summary="the layer's containers, which belong to no platform",
    arches=frozenset(Arch),
    disk_format="",
    suffix="",
    uploads=tuple(Upload(key, UploadForm.CONTAINER) for key in _CONTAINERS),
    uploader="registry",
)
_DISKS = Platform(
    name="disks",
    summary="disks in registries, as OCI artifacts",
    arches=frozenset(Arch),
    disk_format="",
    suffix="",
    uploads=(Upload(DISKS_KEY, UploadForm.CONTAINER),),
    uploader="registry",
)
_NO_UPLOADS = (
    "images", "extensions", "s3", "koji", "release-payload", "pkgdiff", "parent-pkgdiff", "advisories-diff",
    "parent-advisories-diff",
)  # fmt: skip
_OWN = ("coreos-assembler.", "fedora-coreos.", "rpm-ostree-", "ostree-")
_TELLING = frozenset({"image", "url", "object", "bucket", "digest", "hvm", "id", "ami", "snapshot"})
"""Fields of uploads in any form that was seen."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What meta.json says of one upload of a platform."""

    platform: Platform
    upload: Upload
    entries: Sequence[Entry]

    @property
    def uploader(self) -> Uploader:
        """The uploader; `uploader-missing`."""
        return uploader_of(self.platform)


def recorded_uploads(meta: Mapping[str, Any], where: str) -> list[Recorded]:
    """The uploads of all platforms that have entries; variants, which may use another's snapshot, come first.

    `build-meta-malformed` if an entry lacks a field, or if two entries are of the same place.
    """
    return [each for platform in platforms().values() for each in _of(platform, meta, where)]


def recorded_containers(meta: Mapping[str, Any], where: str) -> list[Recorded]:
    """The containers of the layer and of platforms; `build-meta-malformed` as for `recorded_uploads`."""
    of_platforms = [
        each for each in recorded_uploads(meta, where) if each.upload.form is UploadForm.CONTAINER
    ]
    return [*_of(_LAYER, meta, where), *of_platforms]


def recorded_disks(folder: Path) -> list[Recorded]:
    """The disks in registries that a build's folder records; `build-record-malformed`."""
    found = read_disk_pushes(folder)
    return [Recorded(_DISKS, _DISKS.uploads[0], found)] if found else []


def _of(platform: Platform, meta: Mapping[str, Any], where: str) -> Iterator[Recorded]:
    for upload in reversed(platform.uploads):
        if entries := entries_of(meta, upload, where):
            _require_unique(upload, entries, where)
            _require_images(upload, entries, where)
            yield Recorded(platform, upload, entries)


def require_known(meta: Mapping[str, Any], where: str) -> None:
    """`retire-record-unknown` if meta.json has something like an upload that belongs to no platform.

    `uploader-missing` if it belongs to a platform whose uploader is not installed.
    """
    unknown = [*_unknown(meta)]
    if unknown:
        raise BootimgError(
            "retire-record-unknown",
            f"{where} has records that look like uploads and belong to no installed platform:"
            f" {', '.join(unknown)}"[:300],
            hint="install the plugin of that platform, or name the platforms to retire with -p",
        )
    for each in recorded_uploads(meta, where):
        _ = each.uploader


def _unknown(meta: Mapping[str, Any]) -> Iterator[str]:
    known = {each.meta_key for platform in platforms().values() for each in platform.uploads}
    for key, value in meta.items():
        if key not in known and key not in (*_CONTAINERS, *_NO_UPLOADS) and not key.startswith(_OWN):
            values = value if isinstance(value, list) else [value]
            if any(isinstance(each, dict) and not _TELLING.isdisjoint(each) for each in values):
                yield key


def _require_images(upload: Upload, entries: Sequence[Entry], where: str) -> None:
    """Require that the further images of a container are as its first one."""
    for each in entries if upload.form is UploadForm.CONTAINER else ():
        more = each.get(MORE, [])
        _ = entries_of({upload.meta_key: more if isinstance(more, list) else [more]}, upload, where)


def _require_unique(upload: Upload, entries: Sequence[Entry], where: str) -> None:
    field = upload.form.place_field
    places = [each[field] for each in entries] if field else []
    for place in places:
        if places.count(place) > 1:
            raise malformed_meta(where, f"has several entries of {upload.meta_key} for {place:.80}")
