"""A stream's images in clouds, with the fields of each cloud's type in stream-metadata-go.

One type here represents five Go types.  Go writes a string without `omitempty` even if it is empty, so it is
"" instead of None for the clouds that have it.  A cloud that Go does not know keeps its values.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bootimg.streams.metadata.codec import ALWAYS

_IMAGE, _OBJECT = ("release", "image"), ("release", "object", "bucket", "url")
_REGIONS = {
    "aliyun": _IMAGE, "aws": _IMAGE, "aws-winli": _IMAGE, "ibmcloud": _OBJECT, "powervs": _OBJECT,
}  # fmt: skip
_SINGLE = {
    "azure-disk": ("release",),
    "gcp": ("release", "project", "name"),
    "kubevirt": ("release", "image", "digest_ref"),
}
_OPTIONAL = {"azure-disk": "url", "gcp": "family"}
"""The field with `omitempty`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionImage:
    """A cloud's image in one region, or an object in its storage."""

    release: str = field(default="", metadata=ALWAYS)
    image: str | None = field(default=None, metadata=ALWAYS)
    object: str | None = field(default=None, metadata=ALWAYS)
    bucket: str | None = field(default=None, metadata=ALWAYS)
    url: str | None = field(default=None, metadata=ALWAYS)


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudImage:
    """The image of a cloud: a project's image, a container image, a URL, or an image in each region."""

    release: str | None = field(default=None, metadata=ALWAYS)
    project: str | None = field(default=None, metadata=ALWAYS)
    family: str | None = None
    name: str | None = field(default=None, metadata=ALWAYS)
    image: str | None = field(default=None, metadata=ALWAYS)
    digest_ref: str | None = field(default=None, metadata=ALWAYS)
    url: str | None = None
    regions: Mapping[str, RegionImage] = field(default_factory=dict)

    @property
    def is_image(self) -> bool:
        """Whether it locates an image, regardless of the release."""
        return bool(self.regions or self.name or self.image or self.url)


def as_go(cloud: str, found: CloudImage) -> CloudImage:
    """The image with only the fields of Go's type for that cloud."""
    if cloud in _REGIONS:
        keys = _REGIONS[cloud]
        regions = {name: RegionImage(**_texts(each, keys)) for name, each in found.regions.items()}
        return CloudImage(regions=regions)
    if cloud in _SINGLE:
        optional = _OPTIONAL.get(cloud)
        kept: dict[str, Any] = {optional: getattr(found, optional) or None} if optional else {}
        return CloudImage(**_texts(found, _SINGLE[cloud]), **kept)
    return found


def _texts(image: CloudImage | RegionImage, keys: Iterable[str]) -> dict[str, Any]:
    """The strings of these fields; empty instead of None."""
    return {key: getattr(image, key) or "" for key in keys}


def foreign(cloud: str, tree: Mapping[str, Any]) -> Iterator[str]:
    """The paths in a cloud's JSON object that Go's type does not have."""
    if cloud in _REGIONS:
        yield from _others(tree, ("regions",))
        for region, each in (tree.get("regions") or {}).items():
            yield from (f"regions.{region}.{key}" for key in _others(each, _REGIONS[cloud]))
    elif cloud in _SINGLE:
        yield from _others(tree, (*_SINGLE[cloud], _OPTIONAL.get(cloud, "")))


def _others(tree: Mapping[str, Any], fields: Iterable[str]) -> Iterator[str]:
    known = {each.replace("_", "-") for each in fields}
    yield from (key for key in tree if key not in known)
