"""A fetched OCI image: what its manifest and its config say, and the digests that were verified."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from bootimg.arch import Arch
from bootimg.errors import BootimgError, ExitCode
from bootimg.sizes import MIB
from bootimg.untrusted.budget import Budget
from bootimg.untrusted.jsonfile import parse_object
from bootimg.untrusted.node import Fields

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
INDEXES = (OCI_INDEX, DOCKER_LIST)

MAX_DOCUMENT = 4 * MIB
"""The most bytes of an index, a manifest or a config, as in skopeo."""
VERSION_LABEL = "org.opencontainers.image.version"
CREATED = "org.opencontainers.image.created"


@dataclass(frozen=True, slots=True)
class Blob:
    """One layer: `digest` and `size` are of the blob as stored, `diff_id` is of the tar in it."""

    digest: str
    size: int
    media_type: str
    diff_id: str


@dataclass(frozen=True, slots=True)
class Image:
    """An image; those that `fetch` gives have their blobs in the cache.

    Digests are written `sha256:<hex>`.  `manifest` and `config` are the bytes their digests are of.
    `budget` is what reading the image has taken so far, and its limits.
    """

    reference: str
    digest: str
    config_digest: str
    arch: Arch
    labels: Mapping[str, str]
    layers: tuple[Blob, ...]
    manifest: bytes
    config: bytes
    media_type: str
    budget: Budget = field(default_factory=Budget, compare=False, repr=False)

    @property
    def version(self) -> str | None:
        """The version label, by its OCI name or the older plain one."""
        return self.labels.get(VERSION_LABEL) or self.labels.get("version")

    @property
    def osname(self) -> str:
        """The name of the operating system, which artifacts and the deployment are named after."""
        return self.labels.get("com.coreos.osname") or "custom"

    @property
    def size(self) -> int:
        """Bytes of all layers as stored."""
        return sum(blob.size for blob in self.layers)

    @property
    def created(self) -> int:
        """Seconds since 1970: the manifest's annotation, else the config's stamp, else 0."""
        annotations = parse_object(self.manifest).at("annotations").value
        stamp = annotations.get(CREATED) if isinstance(annotations, dict) else None
        stamp = stamp or parse_object(self.config).at("created").value
        try:
            return max(0, int(datetime.fromisoformat(_microseconds(str(stamp))).timestamp()))
        except (ValueError, OverflowError):
            return 0


def _microseconds(stamp: str) -> str:
    # RFC 3339 allows nanoseconds, which fromisoformat refuses.
    seconds, dot, rest = stamp.partition(".")
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    return f"{seconds}.{digits[:6]}{rest[len(digits) :]}" if dot else stamp


def digest_of(data: bytes) -> str:
    """The digest of some bytes, as the OCI writes it."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def hex_of(digest: object) -> str:
    """The hexadecimal part of a sha256 digest; any other text is refused as `layer-malformed`."""
    algorithm, _, value = str(digest).partition(":")
    if algorithm != "sha256" or len(value) != 64 or value.strip("0123456789abcdef"):
        raise malformed_image(f"{str(digest)[:80]!r} is not a sha256 digest")
    return value


def malformed_image(what: str) -> BootimgError:
    """The error for JSON documents of an image that are not what the OCI specification says."""
    return BootimgError(
        "layer-malformed",
        f"the image is not a well-formed OCI image: {what}",
        hint="copy the image again from where it was made (`skopeo copy --preserve-digests`)",
    )


def parse_document(data: bytes, what: str) -> Fields:
    """The JSON object `what` (manifest, config, index) of an image, or `layer-malformed`."""
    return parse_object(data, lambda why: malformed_image(f"in its {what} {why}"), limit=MAX_DOCUMENT)


def config_digest_of(manifest: bytes) -> str:
    """The digest of the config that a manifest names."""
    return f"sha256:{hex_of(parse_document(manifest, 'manifest').nested('config').required('digest', str))}"


def build_image(reference: str, manifest: bytes, config: bytes, arch: Arch, budget: Budget) -> Image:
    """The image that a manifest and a config describe (both verified); it must be for `arch`."""
    budget.hold(len(manifest) + len(config), "its manifest and config")
    document = parse_document(manifest, "manifest")
    settings = parse_document(config, "config")
    diff_ids = settings.nested("rootfs").needed("diff_ids").each(str)
    descriptors = [each.fields() for each in document.needed("layers").items()]
    if len(diff_ids) != len(descriptors):
        raise malformed_image(f"{len(descriptors)} layers but {len(diff_ids)} diff ids")
    layers = tuple(_blob(each, diff_id) for each, diff_id in zip(descriptors, diff_ids, strict=True))
    _charge(layers, budget)
    labels = {name: each.of(str) for name, each in settings.nested("config").members("Labels").items()}
    architecture = settings.required("architecture", str)
    if architecture != arch.oci:
        raise arch_mismatch(reference, arch, [architecture])
    return Image(
        reference=reference,
        digest=digest_of(manifest),
        config_digest=config_digest_of(manifest),
        arch=arch,
        labels=labels,
        layers=layers,
        manifest=manifest,
        config=config,
        media_type=document.take("mediaType", str) or OCI_MANIFEST,
        budget=budget,
    )


def _charge(layers: Sequence[Blob], budget: Budget) -> None:
    """Charge the layers, and refuse blobs that are too large before one is fetched."""
    for layer in layers:
        budget.layer(f"the layer {layer.digest}")
    pack(layers, budget.fork())


def pack(layers: Sequence[Blob], budget: Budget) -> None:
    """Tell the budget the sizes of the blobs; one that several layers have is unpacked once."""
    for digest, blob in {blob.digest: blob for blob in layers}.items():
        budget.pack(blob.size, f"the layer {digest}")


def _blob(descriptor: Fields, diff_id: str) -> Blob:
    return Blob(
        digest=f"sha256:{hex_of(descriptor.required('digest', str))}",
        size=descriptor.needed("size").number(),
        media_type=descriptor.take("mediaType", str) or "",
        diff_id=f"sha256:{hex_of(diff_id)}",
    )


def arch_mismatch(reference: str, arch: Arch, found: Sequence[str]) -> BootimgError:
    """The error for an image that is not of the architecture asked for."""
    return BootimgError(
        "layer-arch-mismatch",
        f"{reference} is not for {arch} ({arch.oci})",
        context=[f"it is for {', '.join(map(_both_names, found))[:500] or 'nothing that runs Linux'}"],
        hint="choose the image of that architecture, or another one with --arch",
        exit_code=ExitCode.USAGE,
    )


def _both_names(oci: str) -> str:
    """An architecture by its RPM name too, where bootimg knows it."""
    return next((f"{arch} ({oci})" for arch in Arch if arch.oci == oci), oci)
