"""What refers to an image of a build in a registry: SBOM, provenance, their Sigstore bundles, a signature.

Each is an artifact of one blob, the file as the build has it, with the image as `subject` (OCI 1.1).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bootimg.builds.companions import TITLES, Companion, companions
from bootimg.builds.find import Build, digest_of, require_digest
from bootimg.builds.layout import BUNDLE, SIGNATURE
from bootimg.builds.provenance.statement import MEDIA_TYPE as INTOTO_TYPE
from bootimg.builds.provenance.statement import SLSA, SPDX
from bootimg.builds.signing.bundle import BUNDLE_TYPE
from bootimg.cloud.registries.copying import Provide, Pushed, content, link_to
from bootimg.cloud.registries.manifests import (
    CREATED,
    EMPTY,
    SIGNATURE_TYPE,
    SPDX_TYPE,
    Listed,
    Part,
    artifact,
)
from bootimg.layer.image.fetched import OCI_MANIFEST
from bootimg.layer.image.fetched import digest_of as digest_of_bytes
from bootimg.targets import PROVENANCE_KEY, SBOM_KEY

# cosign finds bundles of a kind by these annotations of their manifests.
_BUNDLE_CONTENT = {"dev.sigstore.bundle.content": "dsse-envelope"}
_BUNDLE_PREDICATE = "dev.sigstore.bundle.predicateType"
_TYPES = {SBOM_KEY: SPDX_TYPE, PROVENANCE_KEY: INTOTO_TYPE}
_PREDICATES = {SBOM_KEY: SPDX, PROVENANCE_KEY: SLSA}


@dataclass(frozen=True, slots=True)
class _File:
    """A file that refers to an image: its artifact type, what messages call it, and more annotations."""

    path: Path
    sha256: str
    kind: str
    title: str
    annotations: Mapping[str, str]


def attached_to(build: Build, image: Listed, created: str, name: str) -> tuple[Pushed, ...]:
    """What the build has about an image called `name`, as artifacts that refer to it."""
    return tuple(_referrer(each, image, created, name) for each in _statements(build))


def signature_of(path: Path, image: Listed, created: str, name: str) -> tuple[Pushed, ...]:
    """The detached signature of a file that is pushed as an image's only blob, if there is one."""
    signature = path.with_name(path.name + SIGNATURE)
    if not signature.is_file():
        return ()
    found = _File(signature, digest_of(signature), SIGNATURE_TYPE, "signature", {})
    return (_referrer(found, image, created, name),)


def created_of(build: Build) -> str:
    """The time of a build, which all that is pushed of it has: that of its layer's commit."""
    return str(build.meta.get("ostree-timestamp", "1970-01-01T00:00:00Z"))


def checked_link(path: Path, sha256: str, place: Path) -> None:
    """A link to a file of the build, whose digest is compared with the metadata first."""
    require_digest(path, "sha256", sha256, digest_of(path))
    link_to(path)(place)


def _statements(build: Build) -> Iterator[_File]:
    """SBOM and provenance, each with its bundle."""
    for key, found in companions(build.path).items():
        path = build.path / found.path
        if path.is_file():
            yield _File(path, found.sha256, _TYPES[key], TITLES[key], {})
            yield from _bundle(key, found, path, TITLES[key])


def _bundle(key: str, found: Companion, path: Path, title: str) -> Iterator[_File]:
    bundle = path.with_name(f"{found.path}{BUNDLE}")
    if bundle.is_file():
        annotations = {**_BUNDLE_CONTENT, _BUNDLE_PREDICATE: _PREDICATES[key]}
        yield _File(bundle, digest_of(bundle), BUNDLE_TYPE, f"bundle of the {title}", annotations)


def _referrer(file: _File, image: Listed, created: str, name: str) -> Pushed:
    subject: dict[str, Any] = {"mediaType": image.media_type, "digest": image.digest, "size": image.size}
    part = Part(file.kind, f"sha256:{file.sha256}", file.path.stat().st_size, file.path.name)
    annotations = {CREATED: created, **file.annotations}
    manifest = artifact(file.kind, part, annotations, subject)
    listed = Listed(media_type=OCI_MANIFEST, digest=digest_of_bytes(manifest), size=len(manifest),
                    arch=image.arch, artifact_type=file.kind, annotations=annotations)  # fmt: skip
    blobs: dict[str, Provide] = {part.digest: partial(checked_link, file.path, file.sha256),
                                 digest_of_bytes(EMPTY): content(EMPTY)}  # fmt: skip
    return Pushed(
        name=f"{file.title} of {name}", listed=listed, manifest=manifest, blobs=blobs, size=part.size
    )
