"""A disk image of a build as an OCI artifact, with its SBOM and its signature as referrers.

Its manifest is a function of meta.json alone, so any machine knows its digest without the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from bootimg.builds.companions import companion
from bootimg.builds.find import Build, digest_of, require_digest
from bootimg.builds.layout import SIGNATURE
from bootimg.cloud.registries.copying import Provide, Pushed, content, link_to
from bootimg.cloud.registries.manifests import (
    ARCH,
    BUILD,
    EMPTY,
    FORMAT,
    PLAIN_DIGEST,
    PLAIN_SIZE,
    PLATFORM,
    SIGNATURE_TYPE,
    SPDX_TYPE,
    Listed,
    Part,
    artifact,
    common_annotations,
    disk_type,
)
from bootimg.layer.image.fetched import CREATED, OCI_MANIFEST
from bootimg.layer.image.fetched import digest_of as digest_of_bytes
from bootimg.targets import SBOM_KEY, target_of_key

_COMPRESSED = ("gz", "xz", "zst")


def disk_keys(build: Build) -> list[str]:
    """The keys of the disk images in meta.json that can be artifacts: all but containers."""
    found = [(key, target_of_key(key)) for key in build.images]
    return [key for key, target in found
            if target is not None and target.disk_image and not _is_container(build, key)]  # fmt: skip


def _is_container(build: Build, key: str) -> bool:
    return str(build.images[key]["path"]).endswith(".ociarchive")


def disk_of(build: Build, key: str, annotations: Mapping[str, str]) -> Pushed:
    """The artifact of a disk image; `annotations` are those of the build."""
    entry, path = build.images[key], build.path / str(build.images[key]["path"])
    suffix, compressed = _suffixes(build, key)
    media_type = disk_type(suffix, compressed)
    part = Part(media_type, f"sha256:{entry['sha256']}", _size(entry, path), path.name)
    plain = str(entry.get("uncompressed-sha256") or entry["sha256"])
    plain_size = entry.get("uncompressed-size", None if compressed else part.size)
    own = {BUILD: build.id, ARCH: str(build.arch), PLATFORM: key, FORMAT: suffix,
           PLAIN_DIGEST: f"sha256:{plain}"}  # fmt: skip
    if plain_size is not None:
        own[PLAIN_SIZE] = str(plain_size)
    every = {**annotations, **own}
    manifest = artifact(media_type, part, every)
    listed = Listed(media_type=OCI_MANIFEST, digest=digest_of_bytes(manifest), size=len(manifest),
                    arch=build.arch.oci, os=key, artifact_type=media_type, annotations=own)  # fmt: skip
    subject = {"mediaType": OCI_MANIFEST, "digest": listed.digest, "size": len(manifest)}
    name = f"{key} {build.arch}"
    return Pushed(
        name=name,
        listed=listed,
        manifest=manifest if path.is_file() else None,
        blobs={
            part.digest: partial(_checked_link, path, str(entry["sha256"])),
            digest_of_bytes(EMPTY): content(EMPTY),
        },
        size=part.size,
        attached=tuple(_attached(build, path, subject, every[CREATED], name)) if path.is_file() else (),
    )


def _suffixes(build: Build, key: str) -> tuple[str, str | None]:
    """Format and compressor in a file's name: `qcow2` and `gz`; for a live kernel the format is `bin`."""
    name, entry = str(build.images[key]["path"]), build.images[key]
    words = name.partition(f".{build.arch.value}")[2].strip(".").split(".")
    if len(words) > 1 and words[-1] in _COMPRESSED and not entry.get("skip-compression"):
        return ".".join(words[:-1]), words[-1]
    return ".".join(words) or "bin", None


def _size(entry: Mapping[str, Any], path: Path) -> int:
    size = entry.get("size")
    return size if type(size) is int else path.stat().st_size


def _checked_link(path: Path, sha256: str, place: Path) -> None:
    require_digest(path, "sha256", sha256, digest_of(path))
    link_to(path)(place)


def _attached(build: Build, path: Path, subject: Mapping[str, Any], created: str, name: str) -> list[Pushed]:
    """The SBOM of the layer and the detached signature of the file, where the build has them."""
    found, sbom = [], companion(build.path, SBOM_KEY)
    if sbom is not None and (build.path / sbom.path).is_file():
        found.append((SPDX_TYPE, build.path / sbom.path, sbom.sha256, f"SBOM of {name}"))
    signature = path.with_name(path.name + SIGNATURE)
    if signature.is_file():
        found.append((SIGNATURE_TYPE, signature, digest_of(signature), f"signature of {name}"))
    return [_referrer(build, *each, subject, created) for each in found]


def _referrer(
    build: Build, kind: str, path: Path, sha256: str, name: str, subject: Mapping[str, Any], created: str
) -> Pushed:
    part = Part(kind, f"sha256:{sha256}", path.stat().st_size, path.name)
    annotations = {CREATED: created}
    manifest = artifact(kind, part, annotations, subject)
    listed = Listed(media_type=OCI_MANIFEST, digest=digest_of_bytes(manifest), size=len(manifest),
                    arch=build.arch.oci, artifact_type=kind, annotations=annotations)  # fmt: skip
    blobs: dict[str, Provide] = {part.digest: partial(_checked_link, path, sha256),
                                 digest_of_bytes(EMPTY): content(EMPTY)}  # fmt: skip
    return Pushed(name=name, listed=listed, manifest=manifest, blobs=blobs, size=part.size)


def annotations_of(build: Build, stream: str | None) -> dict[str, str]:
    """The annotations of everything of a build; the stream is the one asked for, else the layer's."""
    labels = build.meta.get("coreos-assembler.oci-imported-labels")
    label = labels.get("com.coreos.stream") if isinstance(labels, dict) else None
    return common_annotations(
        build=build.id,
        created=str(build.meta.get("ostree-timestamp", "1970-01-01T00:00:00Z")),
        osname=str(build.meta.get("name", "")),
        stream=stream or (label if isinstance(label, str) else None),
    )
