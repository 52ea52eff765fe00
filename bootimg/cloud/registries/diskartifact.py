"""A disk in a registry by its manifests, which anybody may have written: chosen from a list, and checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from bootimg.arch import Arch
from bootimg.builds.names import is_plain_name
from bootimg.cloud.registries.diskrefusals import ambiguous, damaged, invalid, missing, too_large
from bootimg.cloud.registries.manifests import (
    BUILD,
    DISK_TYPE,
    PLAIN_DIGEST,
    PLAIN_SIZE,
    PLATFORM,
    STREAM,
    TITLE,
)
from bootimg.cloud.registries.transport import LIMIT
from bootimg.formats import Compressor
from bootimg.layer.image.fetched import INDEXES, OCI_MANIFEST, digest_of
from bootimg.printable import printable
from bootimg.untrusted.jsonfile import parse_object
from bootimg.untrusted.limits import DEFAULT, Limits
from bootimg.untrusted.node import Fields

_COMPRESSORS = {".gzip": Compressor.GZIP, ".xz": Compressor.XZ, ".zstd": Compressor.ZSTD}
Read = Callable[[str], bytes]
"""The manifest of a digest, unchecked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskArtifact:
    """A disk: its file's name, digest and size, and those of its uncompressed content, where they differ.

    `name` is None if the artifact's cannot be a file's.  Digests are `sha256:<hex>`.
    """

    manifest: str
    name: str | None
    digest: str
    size: int
    compressor: Compressor
    plain_digest: str
    plain_size: int | None
    facts: dict[str, str]


@dataclass(frozen=True, slots=True)
class Choice:
    """Which disk of a list; without a platform, the only one of the architecture.

    `limit` is in bytes, `limits` are those of unpacking it.
    """

    arch: Arch
    platform: str | None
    limit: int
    limits: Limits = DEFAULT


def find_disk(reference: str, data: bytes, choice: Choice, read: Read) -> DiskArtifact:
    """The disk that a manifest describes, or one of those in a list.

    Errors: `disk-artifact-missing`, `disk-artifact-ambiguous`, `disk-artifact-invalid`,
    `disk-artifact-damaged`, `disk-artifact-too-large`.
    """
    document = _parse(reference, data)
    if document.take("mediaType", str) in INDEXES or "manifests" in document:
        digest, size = _chosen(reference, document, choice)
        data = read(digest)
        if digest_of(data) != digest or len(data) != size:
            raise damaged(reference, f"the manifest {digest}", f"{digest_of(data)}, {len(data)} bytes")
        document = _parse(reference, data)
    return _disk(reference, document, digest_of(data), choice)


def _parse(reference: str, data: bytes) -> Fields:
    return parse_object(data, partial(invalid, reference), limit=LIMIT)


def _chosen(reference: str, index: Fields, choice: Choice) -> tuple[str, int]:
    found, others = [], []
    for each in index.objects("manifests"):
        if not (each.take("artifactType", str) or "").startswith(DISK_TYPE):
            continue
        platform = each.nested("platform")
        arch, name = platform.take("architecture", str), platform.take("os", str) or ""
        if each.take("mediaType", str) != OCI_MANIFEST:
            raise each.at("mediaType").error(f"is not {OCI_MANIFEST}")
        entry = read_digest(each, "digest"), each.needed("size").number(1, LIMIT)
        if arch == choice.arch.oci and choice.platform in (None, name):
            found.append((name, entry))
        others.append(f"{name} for {arch}")
    if not found:
        raise missing(reference, choice.platform, choice.arch, others)
    if len(found) > 1:
        raise ambiguous(reference, (name for name, _ in found))
    return found[0][1]


def _disk(reference: str, document: Fields, manifest: str, choice: Choice) -> DiskArtifact:
    kind = document.take("artifactType", str) or ""
    if not kind.startswith(DISK_TYPE) or document.take("mediaType", str) not in (None, OCI_MANIFEST):
        raise invalid(
            reference, f"it is no disk image: its type is {printable(kind)[:100] or 'not declared'}"
        )
    layers = document.objects("layers")
    if len(layers) != 1:
        raise invalid(reference, f"it has {len(layers)} files, not one")
    layer, annotations = layers[0], document.nested("annotations")
    digest, size = read_digest(layer, "digest"), layer.needed("size").number(1)
    compressor = next((each for end, each in _COMPRESSORS.items() if kind.endswith(end)), Compressor.NONE)
    plain = read_digest(annotations, PLAIN_DIGEST) if PLAIN_DIGEST in annotations else ""
    plain_size = _number(annotations, PLAIN_SIZE)
    for each in (size, plain_size or 0):
        if each > choice.limit:
            raise too_large(reference, each, choice.limit)
    title = layer.nested("annotations").take(TITLE, str)
    return DiskArtifact(
        manifest=manifest,
        name=title if is_plain_name(title) else None,
        digest=digest,
        size=size,
        compressor=compressor,
        plain_digest=plain or ("" if compressor is not Compressor.NONE else digest),
        plain_size=plain_size,
        facts={
            word: printable(value)[:200]
            for word, key in (("build", BUILD), ("stream", STREAM), ("platform", PLATFORM))
            if (value := annotations.take(key, str))
        },
    )


def read_digest(fields: Fields, key: str) -> str:
    """The sha256 digest at a key; the error of `fields` if it is none."""
    found = fields.required(key, str)
    algorithm, _, value = found.partition(":")
    if algorithm != "sha256" or len(value) != 64 or value.strip("0123456789abcdef"):
        raise fields.at(key).error("is not a sha256 digest")
    return found


def _number(annotations: Fields, key: str) -> int | None:
    text = annotations.take(key, str)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise annotations.at(key).error("is not a number of bytes")
    return int(text)
