"""release.json: a build with all its architectures, in the types of stream-metadata-go's package release.

Platforms that a release does not have are omitted; Go's encoder writes null for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bootimg.streams.metadata.cloudimages import CloudImage, RegionImage
from bootimg.streams.metadata.codec import tree_of
from bootimg.streams.metadata.gojson import go_json
from bootimg.streams.metadata.stream import (
    Extensions,
    ImageFormat,
    Metadata,
    PlatformArtifacts,
    StreamArch,
    StreamArtifact,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseImage:
    """An image in a cloud: a project's, a container image, an id, or an object in its storage."""

    project: str | None = None
    family: str | None = None
    name: str | None = None
    image: str | None = None
    digest_ref: str | None = None
    object: str | None = None
    bucket: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Media:
    """A release's files of a platform by format, and its images by region or as one image.

    `ignition_gpg_key` is coreos-assembler's key for qemu-secex; the Go types and the stream do not have it.
    """

    artifacts: Mapping[str, ImageFormat]
    images: Mapping[str, ReleaseImage] = field(default_factory=dict)
    image: ReleaseImage | None = None
    ignition_gpg_key: StreamArtifact | None = None


@dataclass(frozen=True, slots=True)
class ReleaseExtension:
    """One of `rhel-coreos-extensions`: a URL, or images by region."""

    url: str | None = None
    images: Mapping[str, ReleaseImage] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReleaseArch:
    """One architecture of a release; `media` is by platform."""

    media: Mapping[str, Media]
    commit: str | None = None
    oci_image: ReleaseImage | None = None
    rhel_coreos_extensions: Mapping[str, ReleaseExtension] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Release:
    """A release.json."""

    release: str
    stream: str
    metadata: Metadata | None = None
    architectures: Mapping[str, ReleaseArch] = field(default_factory=dict)

    def encoded(self) -> bytes:
        """The file's bytes."""
        return go_json(tree_of(self))


def stream_arch(release: str, arch: ReleaseArch) -> StreamArch:
    """The stream's entry for an architecture of the release.

    There are two differences from stream-metadata-go: extensions are kept even if the release has no disk
    image of their platform, and a platform or format without a file is omitted.
    """
    artifacts = {name: _artifacts(release, each) for name, each in arch.media.items()}
    clouds = {name: _cloud(release, each) for name, each in arch.media.items()}
    return StreamArch(
        {name: each for name, each in artifacts.items() if each},
        {name: each for name, each in clouds.items() if each},
        _extensions(release, arch),
    )


def _artifacts(release: str, media: Media) -> PlatformArtifacts | None:
    formats = {name: each for name, each in media.artifacts.items() if each.files()}
    return PlatformArtifacts(release, formats) if formats else None


def _cloud(release: str, media: Media) -> CloudImage | None:
    if media.images:
        return CloudImage(regions=_regions(release, media.images))
    if media.image is None:
        return None
    image = media.image
    return CloudImage(
        release=release,
        project=image.project,
        family=image.family,
        name=image.name,
        image=image.image,
        digest_ref=image.digest_ref,
    )


def _regions(release: str, images: Mapping[str, ReleaseImage]) -> Mapping[str, RegionImage]:
    return {
        region: RegionImage(
            release=release, image=each.image, object=each.object, bucket=each.bucket, url=each.url
        )
        for region, each in images.items()
    }


def _extensions(release: str, arch: ReleaseArch) -> Extensions | None:
    winli = arch.rhel_coreos_extensions.get("aws-winli")
    disk = arch.rhel_coreos_extensions.get("azure-disk")
    if winli is None and disk is None:
        return None
    return Extensions(
        aws_winli=CloudImage(regions=_regions(release, winli.images)) if winli else None,
        azure_disk=CloudImage(release=release, url=disk.url) if disk else None,
    )
