"""A disk image of a build as an OCI artifact, with what the build has about it as referrers.

Its manifest is a function of meta.json alone, so any machine knows its digest without the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from bootimg.builds.find import Build
from bootimg.cloud.registries.attaching import attached_to, checked_link, created_of, signature_of
from bootimg.cloud.registries.copying import Pushed, content
from bootimg.cloud.registries.manifests import (
    ARCH,
    BUILD,
    EMPTY,
    FORMAT,
    PLAIN_DIGEST,
    PLAIN_SIZE,
    PLATFORM,
    Listed,
    Part,
    artifact,
    common_annotations,
    disk_type,
)
from bootimg.layer.image.fetched import CREATED, OCI_MANIFEST
from bootimg.layer.image.fetched import digest_of as digest_of_bytes
from bootimg.targets import target_of_key

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
    name = f"{key} {build.arch}"
    attached = (
        attached_to(build, listed, every[CREATED], name) + signature_of(path, listed, every[CREATED], name)
        if path.is_file()
        else ()
    )
    return Pushed(
        name=name,
        listed=listed,
        manifest=manifest if path.is_file() else None,
        blobs={
            part.digest: partial(checked_link, path, str(entry["sha256"])),
            digest_of_bytes(EMPTY): content(EMPTY),
        },
        size=part.size,
        attached=attached,
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


def annotations_of(build: Build, stream: str | None) -> dict[str, str]:
    """The annotations of everything of a build; the stream is the one asked for, else the layer's."""
    labels = build.meta.get("coreos-assembler.oci-imported-labels")
    label = labels.get("com.coreos.stream") if isinstance(labels, dict) else None
    return common_annotations(
        build=build.id,
        created=created_of(build),
        osname=str(build.meta.get("name", "")),
        stream=stream or (label if isinstance(label, str) else None),
    )
