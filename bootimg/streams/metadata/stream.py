"""Stream metadata: the file in which installers and clusters find boot images.

The types of stream-metadata-go (stream and stream/rhcos, v0.4.11), in the order of their fields.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bootimg.atomic import write_whole
from bootimg.errors import BootimgError, ExitCode
from bootimg.streams.metadata.cloudimages import CloudImage, as_go, foreign
from bootimg.streams.metadata.codec import Reader, tree_of
from bootimg.streams.metadata.gojson import go_json, parse_tree
from bootimg.untrusted.files import read_start
from bootimg.untrusted.tree import LIMIT


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamArtifact:
    """One file: its URL, its signature's URL, and its digests in hex."""

    location: str
    signature: str | None = None
    sha256: str
    uncompressed_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class ImageFormat:
    """An image in one format: a disk, or the three files of PXE."""

    disk: StreamArtifact | None = None
    kernel: StreamArtifact | None = None
    initramfs: StreamArtifact | None = None
    rootfs: StreamArtifact | None = None

    def files(self) -> Mapping[str, StreamArtifact]:
        """The existing files by their roles."""
        roles = {
            "disk": self.disk,
            "kernel": self.kernel,
            "initramfs": self.initramfs,
            "rootfs": self.rootfs,
        }
        return {role: each for role, each in roles.items() if each is not None}


@dataclass(frozen=True, slots=True)
class PlatformArtifacts:
    """A platform's images by format, and the id of their build."""

    release: str
    formats: Mapping[str, ImageFormat]


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
    """The marketplace images, by cloud.  They are not in builds, only in the stream or in an extra file."""

    azure: AzureMarketplace | None = None


@dataclass(frozen=True, slots=True)
class Extensions:
    """`rhel-coreos-extensions`: images that only RHEL CoreOS has."""

    aws_winli: CloudImage | None = None
    azure_disk: CloudImage | None = None
    marketplace: Marketplace | None = None

    def __post_init__(self) -> None:
        for key, name in (("aws-winli", "aws_winli"), ("azure-disk", "azure_disk")):
            if (found := getattr(self, name)) is not None:
                object.__setattr__(self, name, as_go(key, found))


@dataclass(frozen=True, slots=True)
class StreamArch:
    """An architecture's images: downloads by platform, and cloud images by the cloud's name."""

    artifacts: Mapping[str, PlatformArtifacts]
    images: Mapping[str, CloudImage]
    rhel_coreos_extensions: Extensions | None = None

    def __post_init__(self) -> None:
        # So every instance has exactly the fields that Go writes.
        object.__setattr__(self, "images", {name: as_go(name, each) for name, each in self.images.items()})


@dataclass(frozen=True, slots=True)
class Metadata:
    """The time of the last change (RFC 3339), and the program that made it."""

    last_modified: str
    generator: str | None = None


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream's file.  Every platform has its own release; different releases are allowed but unusual."""

    stream: str
    metadata: Metadata
    architectures: Mapping[str, StreamArch]

    def encoded(self) -> bytes:
        """The file's bytes, as `json.Encoder` writes them."""
        return go_json(tree_of(self))


def parse_stream(data: bytes, name: str, warn: Callable[[str], None] = lambda _: None) -> Stream:
    """Parse a stream; `stream-malformed`.

    `warn` gets a message for each key that the Go types do not have: neither Go's programs nor bootimg keep
    such keys.
    """
    reader, tree = Reader(name), parse_tree(data, name)
    found = reader.read(Stream, tree)
    for path in [*dict.fromkeys([*reader.unknown, *_foreign(tree)])][:20]:
        warn(f"{name}: {path} is not part of stream metadata and is dropped")
    return found


def _foreign(tree: Mapping[str, Any]) -> Iterator[str]:
    """The paths of keys that Go's types do not have, in clouds that Go knows."""
    for arch, each in (tree.get("architectures") or {}).items():
        for section in ("images", "rhel-coreos-extensions"):
            for cloud, found in (each.get(section) or {}).items():
                paths = foreign(cloud, found or {})
                yield from (f"architectures.{arch}.{section}.{cloud}.{path}" for path in paths)


def read_stream(path: Path, warn: Callable[[str], None] = lambda _: None) -> Stream:
    """The stream in a file."""
    return parse_stream(read_file(path), str(path), warn)


def read_marketplace(path: Path) -> Mapping[str, Marketplace]:
    """A marketplace file of openshift/installer: a marketplace for each architecture."""
    reader = Reader(str(path))
    tree = parse_tree(read_file(path), str(path))
    return {arch: reader.read(Marketplace, each, arch) for arch, each in tree.items()}


def read_file(path: Path) -> bytes:
    """The bytes of a file, or of stdin for `-`; at most LIMIT + 1, which shows that a file is too large.

    `stream-unreadable` if it cannot be read.
    """
    try:
        if str(path) == "-":
            return sys.stdin.buffer.read(LIMIT + 1)
        return read_start(path, LIMIT, any_kind=True)
    except OSError as error:
        raise BootimgError(
            "stream-unreadable",
            f"{path} cannot be read: {error.strerror}",
            hint="name a stream's JSON file",
            exit_code=ExitCode.USAGE,
        ) from None


def write_stream(path: Path, stream: Stream) -> None:
    """Write a stream's file atomically."""
    write_whole(path, stream.encoded())
