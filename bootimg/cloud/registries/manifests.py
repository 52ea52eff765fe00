"""The manifests that bootimg writes: disks, what refers to them, and lists.

The same input gives the same bytes.  Formats: OCI image specification 1.1.  The types of disks are those that
Konflux and `cosa import` know.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bootimg.layer.image.fetched import (
    CREATED,
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
    VERSION_LABEL,
    digest_of,
)

DISK_TYPE = "application/vnd.diskimage."
"""How the artifact types of disks begin; the suffixes of the file follow."""
TITLE = "org.opencontainers.image.title"
STREAM = "com.coreos.stream"
OSNAME = "com.coreos.osname"
BUILD = "com.coreos.disk.build"
ARCH = "com.coreos.disk.arch"
PLATFORM = "com.coreos.disk.platform"
FORMAT = "com.coreos.disk.format"
PLAIN_DIGEST = "com.coreos.disk.uncompressed-digest"
PLAIN_SIZE = "com.coreos.disk.uncompressed-size"
SPDX_TYPE = "application/spdx+json"
SIGNATURE_TYPE = "application/pgp-signature"
EMPTY = b"{}"
"""The config of an artifact that needs none."""
_EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
_COMPRESSED = {"gz": "gzip", "xz": "xz", "zst": "zstd"}
_DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
_DOCKER_LAYERS = {
    "application/vnd.oci.image.layer.v1.tar+gzip": "application/vnd.docker.image.rootfs.diff.tar.gzip",
    "application/vnd.oci.image.layer.v1.tar": "application/vnd.docker.image.rootfs.diff.tar",
}
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Part:
    """A blob of an artifact, as its manifest describes it."""

    media_type: str
    digest: str
    size: int
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A manifest in a list: `arch` is the OCI's name, `os` is `linux` for what runs, else the platform."""

    media_type: str
    digest: str
    size: int
    arch: str
    os: str = "linux"
    artifact_type: str | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)

    def descriptor(self) -> Json:
        """The descriptor in the list."""
        found: Json = {"mediaType": self.media_type, "digest": self.digest, "size": self.size}
        if self.artifact_type:
            found["artifactType"] = self.artifact_type
        if self.annotations:
            found["annotations"] = dict(self.annotations)
        return {**found, "platform": {"architecture": self.arch, "os": self.os}}


def disk_type(suffix: str, compressed: str | None) -> str:
    """The media type of a disk: `suffix` is the format's (`qcow2`), `compressed` the compressor's (`gz`)."""
    return DISK_TYPE + suffix + (f".{_COMPRESSED[compressed]}" if compressed else "")


def artifact(
    artifact_type: str, part: Part, annotations: Mapping[str, str], subject: Mapping[str, Any] | None = None
) -> bytes:
    """The manifest of an artifact of one blob, with the empty config, which refers to `subject` if given."""
    layer = {"mediaType": part.media_type, "digest": part.digest, "size": part.size,
             "annotations": {TITLE: part.title}}  # fmt: skip
    document: Json = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": artifact_type,
        "config": {"mediaType": _EMPTY_TYPE, "digest": digest_of(EMPTY), "size": len(EMPTY)},
        "layers": [layer],
        "annotations": dict(annotations),
    }
    return as_json({**document, "subject": dict(subject)} if subject else document)


def build_list(listed: Iterable[Listed], annotations: Mapping[str, str], *, docker: bool = False) -> bytes:
    """The list of a build, in the order of architectures and platforms; Docker's has no annotations."""
    every = sorted(listed, key=lambda each: (each.arch, each.os, each.artifact_type or "", each.digest))
    found = [each.descriptor() for each in every]
    document: Json = {"schemaVersion": 2, "mediaType": DOCKER_LIST if docker else OCI_INDEX,
                      "manifests": found}  # fmt: skip
    return as_json(document if docker else {**document, "annotations": dict(annotations)})


def referrers_list(descriptors: Sequence[Mapping[str, Any]]) -> bytes:
    """The list under a fallback tag."""
    return as_json(
        {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [dict(each) for each in descriptors]}
    )


def fallback_tag(digest: str) -> str:
    """The tag that lists the referrers of a manifest where the registry does not."""
    return digest.replace(":", "-")


def common_annotations(*, build: str, created: str, osname: str, stream: str | None) -> dict[str, str]:
    """The annotations of everything of a build."""
    found = {VERSION_LABEL: build, CREATED: created, OSNAME: osname, STREAM: stream or ""}
    return {key: value for key, value in found.items() if value}


def docker_manifest(document: Mapping[str, Any]) -> bytes | None:
    """An OCI image's manifest in Docker's format, of the same blobs; None if Docker's has no such layers."""
    layers = [dict(each) for each in document["layers"]]
    if any(each.get("mediaType") not in _DOCKER_LAYERS for each in layers):
        return None
    return as_json({
        "schemaVersion": 2,
        "mediaType": DOCKER_MANIFEST,
        "config": _blob(document["config"], _DOCKER_CONFIG),
        "layers": [_blob(each, _DOCKER_LAYERS[each["mediaType"]]) for each in layers],
    })  # fmt: skip


def _blob(descriptor: Mapping[str, Any], media_type: str) -> Json:
    return {"mediaType": media_type, "size": descriptor["size"], "digest": descriptor["digest"]}


def as_json(document: Mapping[str, Any]) -> bytes:
    """A manifest's bytes."""
    return json.dumps(document, separators=(",", ":")).encode()
