"""Stream metadata: what installers and clusters read to find a boot image.

The types of stream-metadata-go (stream and stream/rhcos, v0.4.11), in the order of their fields.  What a
cloud has is one type here where Go has one a cloud: the clouds' fields come in the same order in both.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bootimg.atomic import write_whole
from bootimg.errors import BootimgError, ExitCode
from bootimg.streams.codec import Reader, tree_of
from bootimg.streams.gojson import LIMIT, go_json, parse_object


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """One file: its URL, that of its signature, and its digests in hex."""

    location: str
    signature: str | None = None
    sha256: str
    uncompressed_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class ImageFormat:
    """An image in one format: a disk, or the three files of PXE."""

    disk: Artifact | None = None
    kernel: Artifact | None = None
    initramfs: Artifact | None = None
    rootfs: Artifact | None = None

    def files(self) -> Mapping[str, Artifact]:
        """The files there are by their roles."""
        roles = {
            "disk": self.disk,
            "kernel": self.kernel,
            "initramfs": self.initramfs,
            "rootfs": self.rootfs,
        }
        return {role: each for role, each in roles.items() if each is not None}


@dataclass(frozen=True, slots=True)
class PlatformArtifacts:
    """A platform's images by format, and the build that they are of."""

    release: str
    formats: Mapping[str, ImageFormat]


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionImage:
    """A cloud's image, or object in its storage, in one region."""

    release: str
    image: str | None = None
    object: str | None = None
    bucket: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudImage:
    """What a cloud has: a project's image, a container image, a URL, or an image in each region."""

    release: str | None = None
    project: str | None = None
    family: str | None = None
    name: str | None = None
    image: str | None = None
    digest_ref: str | None = None
    url: str | None = None
    regions: Mapping[str, RegionImage] = field(default_factory=dict)

    @property
    def is_image(self) -> bool:
        """Whether it says where an image is, of whatever release."""
        return bool(self.regions or self.name or self.image or self.url)


@dataclass(frozen=True, slots=True)
class MarketplaceImage:
    """An image in Azure's marketplace."""

    publisher: str
    offer: str
    sku: str
    version: str


@dataclass(frozen=True, slots=True)
class MarketplaceImages:
    """One purchase plan's images for the two generations of Hyper-V."""

    gen1: MarketplaceImage | None = field(default=None, metadata={"key": "hyperVGen1"})
    gen2: MarketplaceImage | None = field(default=None, metadata={"key": "hyperVGen2"})


@dataclass(frozen=True, slots=True)
class AzureMarketplace:
    """The purchase plans."""

    no_purchase_plan: MarketplaceImages | None = None
    ocp: MarketplaceImages | None = None
    opp: MarketplaceImages | None = None
    oke: MarketplaceImages | None = None
    ocp_emea: MarketplaceImages | None = None
    opp_emea: MarketplaceImages | None = None
    oke_emea: MarketplaceImages | None = None


@dataclass(frozen=True, slots=True)
class Marketplace:
    """What is sold, by cloud.  No build says it: it is kept in the file, or in one beside it."""

    azure: AzureMarketplace | None = None


@dataclass(frozen=True, slots=True)
class Extensions:
    """`rhel-coreos-extensions`: what only RHEL CoreOS has."""

    aws_winli: CloudImage | None = None
    azure_disk: CloudImage | None = None
    marketplace: Marketplace | None = None


@dataclass(frozen=True, slots=True)
class StreamArch:
    """An architecture's images: to download by platform, and in clouds by the cloud's name."""

    artifacts: Mapping[str, PlatformArtifacts]
    images: Mapping[str, CloudImage]
    rhel_coreos_extensions: Extensions | None = None


@dataclass(frozen=True, slots=True)
class Metadata:
    """When the file was last changed (RFC 3339), and by what."""

    last_modified: str
    generator: str | None = None


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream's file.  Every platform has a release of its own: mixed ones are legal, not meant."""

    stream: str
    metadata: Metadata
    architectures: Mapping[str, StreamArch]

    def encoded(self) -> bytes:
        """The file's bytes, as `json.Encoder` writes them."""
        return go_json(tree_of(self))


def parse_stream(data: bytes, name: str, warn: Callable[[str], None] = lambda _: None) -> Stream:
    """The stream of a file's bytes, or `stream-malformed`.

    Keys that the Go types do not have are told to `warn`: neither Go's programs nor bootimg keep them.
    """
    reader = Reader(name)
    found = reader.read(Stream, parse_object(data, name))
    for path in reader.unknown[:20]:
        warn(f"{name}: {path} is no part of stream metadata, and is not kept")
    return found


def read_stream(path: Path, warn: Callable[[str], None] = lambda _: None) -> Stream:
    """The stream in a file."""
    return parse_stream(read_file(path), str(path), warn)


def read_marketplace(path: Path) -> Mapping[str, Marketplace]:
    """A marketplace file of openshift/installer: a marketplace for each architecture."""
    reader = Reader(str(path))
    tree = parse_object(read_file(path), str(path))
    return {arch: reader.read(Marketplace, each, arch) for arch, each in tree.items()}


def read_file(path: Path) -> bytes:
    """The bytes of a file, or of stdin for `-`; one more than are allowed if there are more.

    `stream-unreadable` if it is no file.
    """
    try:
        if str(path) == "-":
            return sys.stdin.buffer.read(LIMIT + 1)
        with path.open("rb") as file:
            return file.read(LIMIT + 1)
    except OSError as error:
        raise BootimgError(
            "stream-unreadable",
            f"{path} cannot be read: {error.strerror}",
            hint="name a stream's JSON file",
            exit_code=ExitCode.USAGE,
        ) from None


def write_stream(path: Path, stream: Stream) -> None:
    """Write a stream's file, whole or not at all."""
    write_whole(path, stream.encoded())
