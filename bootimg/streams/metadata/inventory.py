"""A stream as a flat list of its entries, for comparisons and for rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import NamedTuple

from bootimg.streams.metadata.cloudimages import CloudImage
from bootimg.streams.metadata.stream import Extensions, Marketplace, Stream, StreamArch

ARTIFACTS, IMAGES, EXTENSIONS = "artifacts", "images", "rhel-coreos-extensions"


class Place(NamedTuple):
    """The place of an entry: `section` is one of the three keys, `name` a platform, cloud or extension.

    `part` is a format and role, a region, a purchase plan and generation, or empty.
    """

    arch: str
    section: str
    name: str
    part: str

    def __str__(self) -> str:
        return " ".join(each for each in self if each)


@dataclass(frozen=True, slots=True)
class Item:
    """An entry: its release, if it has one, and its other values."""

    release: str | None
    values: Mapping[str, str]


def inventory(stream: Stream) -> Mapping[Place, Item]:
    """All entries of a stream, in the order of the file."""
    return {
        Place(arch, *place): item
        for arch in sorted(stream.architectures)
        for place, item in _of_arch(stream.architectures[arch])
    }


def _of_arch(arch: StreamArch) -> Iterator[tuple[tuple[str, str, str], Item]]:
    for name, platform in sorted(arch.artifacts.items()):
        for kind, each in sorted(platform.formats.items()):
            for role, file in each.files().items():
                yield (ARTIFACTS, name, f"{kind} {role}"), Item(platform.release, _texts(file))
    for name, cloud in sorted(arch.images.items()):
        yield from (((IMAGES, name, part), item) for part, item in _of_cloud(cloud))
    extensions = arch.rhel_coreos_extensions or Extensions()
    for name, extra in (("aws-winli", extensions.aws_winli), ("azure-disk", extensions.azure_disk)):
        if extra is not None:
            yield from (((EXTENSIONS, name, part), item) for part, item in _of_cloud(extra))
    for part, item in _of_marketplace(extensions.marketplace or Marketplace()):
        yield (EXTENSIONS, "marketplace", part), item


def _of_cloud(cloud: CloudImage) -> Iterator[tuple[str, Item]]:
    if not cloud.regions:
        yield "", Item(cloud.release, _texts(cloud))
    for region, image in sorted(cloud.regions.items()):
        yield region, Item(image.release, _texts(image))


def _of_marketplace(marketplace: Marketplace) -> Iterator[tuple[str, Item]]:
    if marketplace.azure is None:
        return
    for plan in fields(marketplace.azure):
        images = getattr(marketplace.azure, plan.name)
        for generation in ("gen1", "gen2") if images else ():
            if image := getattr(images, generation):
                name = plan.name.replace("_", "-")
                yield f"azure {name} {generation}", Item(None, _texts(image))


def _texts(value: object) -> Mapping[str, str]:
    """The string fields, without the release."""
    found = asdict(value)  # type: ignore[call-overload]
    return {
        key.replace("_", "-"): each
        for key, each in found.items()
        if isinstance(each, str) and key != "release"
    }
