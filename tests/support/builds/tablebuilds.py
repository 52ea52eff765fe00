"""What a build of an architecture has if every target of the tables is made and uploaded: its meta.json."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from bootimg.arch import Arch
from bootimg.platform import Platform, Upload, UploadForm, platforms
from bootimg.targets import ARCHIVE, LIVE, SECEX, DeclaredTarget, TargetFile, image_of

NAME, STREAM, VERSION = "rhcos", "rhel-9.8", "9.8.20260428-0"
PLACES = ("first", "second-1")


def targets(arch: Arch) -> Iterator[DeclaredTarget]:
    """The layer's archive, the images of all platforms of the architecture, and the other media."""
    yield ARCHIVE
    yield from (image_of(each) for each in platforms().values() if arch in each.arches)
    yield from (each for each in (LIVE, SECEX) if arch in each.arches)


def meta(arch: Arch) -> dict[str, Any]:
    """The meta.json, uploads included; disks are compressed as in a stream's builds."""
    images = {
        file.key: _entry(arch, file, each) for each in targets(arch) for file in each.files if file.in_meta
    }
    uploads = {
        upload.meta_key: _uploaded(arch, each, upload)
        for each in platforms().values()
        if arch in each.arches
        for upload in each.uploads
    }
    return {
        "buildid": VERSION, "name": NAME, "ostree-commit": "ab" * 32, "ostree-version": VERSION,
        "ostree-timestamp": "2026-04-28T10:00:00Z", "coreos-assembler.basearch": arch.value,
        "coreos-assembler.oci-imported": True,
        "coreos-assembler.oci-imported-labels": {"com.coreos.stream": STREAM}, "images": images, **uploads,
    }  # fmt: skip


def _entry(arch: Arch, file: TargetFile, target: DeclaredTarget) -> dict[str, Any]:
    packed = target is SECEX if target.platform is None else not target.platform.skip_compression
    packed = packed and not file.ending.endswith(".gpg.pub")
    path = file.file_name(NAME, VERSION, arch, ".gz" if packed else "")
    entry = {"path": path, "sha256": digest(path), "size": 9}
    # An ova.gz counts as compressed, a tar.gz as what it is.
    if packed or path.endswith(".ova.gz"):
        entry |= {"uncompressed-sha256": digest(f"plain {path}"), "uncompressed-size": 99}
    return entry


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _uploaded(arch: Arch, platform: Platform, upload: Upload) -> Any:  # noqa: ANN401
    """What the platform's uploader leaves."""
    name = f"{NAME}-{VERSION}-{platform.name}-{arch}"
    match upload.form:
        case UploadForm.REGION_IMAGES:
            return [{"name": place, upload.id_field: f"id-{place}"} for place in PLACES]
        case UploadForm.REGION_OBJECTS:
            return [
                {
                    "region": place,
                    "object": name,
                    "bucket": f"b-{place}",
                    "url": f"https://{place}.test/{name}",
                }
                for place in PLACES
            ]
        case UploadForm.PROJECT_IMAGE:
            return {"image": name, "project": "rhcos-cloud", "url": f"https://storage.test/{name}"}
        case UploadForm.CONTAINER:
            return {
                "image": "quay.test/a/b",
                "digest": f"sha256:{digest(name)}",
                "tags": [f"{VERSION}-x", "moving"],
            }
        case UploadForm.URL:
            return {"image": name, "url": f"https://blobs.test/{name}"}
