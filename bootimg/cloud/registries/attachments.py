"""SBOM, provenance, bundles and signature that refer to a disk, got beside it under their own names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bootimg.atomic import write_whole
from bootimg.builds.find import digest_of
from bootimg.builds.layout import BUNDLE, SIGNATURE
from bootimg.builds.names import is_plain_name
from bootimg.builds.provenance.statement import MEDIA_TYPE as INTOTO_TYPE
from bootimg.builds.signing.bundle import BUNDLE_TYPE
from bootimg.cloud.registries.diskartifact import DiskArtifact, read_digest
from bootimg.cloud.registries.diskrefusals import damaged, invalid
from bootimg.cloud.registries.manifests import SIGNATURE_TYPE, SPDX_TYPE, TITLE
from bootimg.cloud.registries.receiving import passing_failures
from bootimg.cloud.registries.transport import LIMIT
from bootimg.layer.fetching.imageproxy import image_proxy
from bootimg.layer.fetching.skopeo import RegistryOptions
from bootimg.layer.image.fetched import Blob
from bootimg.layer.image.fetched import digest_of as digest_of_bytes
from bootimg.sizes import MIB
from bootimg.targets import INTOTO, SPDX
from bootimg.untrusted.jsonfile import parse_object
from bootimg.untrusted.node import Fields

_LIMIT = 64 * MIB
_ENDINGS = {SPDX_TYPE: SPDX, INTOTO_TYPE: INTOTO, BUNDLE_TYPE: BUNDLE}
"""The ends of file names by artifact type; a signature's is its file's."""
Read = Callable[[str], bytes]
"""The manifest of a digest, unchecked."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that refers to a disk: the digest of its manifest, and where it goes, with what content."""

    manifest: str
    path: Path
    blob: Blob

    @property
    def is_here(self) -> bool:
        """Whether the file is there with its content."""
        path, size = self.path, self.blob.size
        return (
            path.is_file() and path.stat().st_size == size and f"sha256:{digest_of(path)}" == self.blob.digest
        )


def attachments(
    reference: str, disk: DiskArtifact, path: Path, listed: Sequence[Mapping[str, Any]], read: Read
) -> dict[Path, list[Attachment]]:
    """The attachments of a disk that will be the file `path`, by their own paths.

    `listed` are the descriptors of all that refers to the disk; what is of another type, or is not named as
    in the builds tree, is left out.  Errors: `disk-artifact-damaged`, `disk-artifact-invalid`.
    """
    found: dict[Path, list[Attachment]] = {}
    for each in listed:
        if each.get("artifactType") in (*_ENDINGS, SIGNATURE_TYPE):
            for attachment in _attachment(reference, disk, path, str(each["digest"]), read):
                known = found.setdefault(attachment.path, [])
                if all(other.blob != attachment.blob for other in known):
                    known.append(attachment)
    return found


def _attachment(
    reference: str, disk: DiskArtifact, path: Path, digest: str, read: Read
) -> Iterator[Attachment]:
    data = read(digest)
    if digest_of_bytes(data) != digest:
        raise damaged(reference, f"the manifest {digest}", digest_of_bytes(data))
    document = parse_object(data, partial(invalid, reference), limit=LIMIT)
    layers = document.objects("layers")
    if document.nested("subject").take("digest", str) != disk.manifest or len(layers) != 1:
        return
    place = _place(document.take("artifactType", str), layers[0].nested("annotations"), disk, path)
    if place is not None:
        size = layers[0].needed("size").number(1, _LIMIT)
        yield Attachment(digest, place, Blob(read_digest(layers[0], "digest"), size, "", ""))


def _place(kind: str | None, annotations: Fields, disk: DiskArtifact, path: Path) -> Path | None:
    """Where it goes: a signature follows its file's name, so that programs find it."""
    title = annotations.take(TITLE, str)
    if kind == SIGNATURE_TYPE and disk.name is not None and title == disk.name + SIGNATURE:
        return path.with_name(path.name + SIGNATURE)
    # No other file of a build ends so: it cannot take the place of one.
    ending = _ENDINGS.get(kind or "")
    if ending is not None and is_plain_name(title) and title.endswith(ending):
        return path.with_name(title)
    return None


def write_attachment(
    attachment: Attachment, reference: str, repository: str, options: RegistryOptions
) -> None:
    """Get the file; `TransientError`, `disk-artifact-damaged` and the errors of `image_proxy`."""
    blob, data = attachment.blob, b""
    with passing_failures(), image_proxy(f"{repository}@{attachment.manifest}", options) as proxy:
        for chunk in proxy.chunks(blob):
            data += chunk
            if len(data) > blob.size:
                break
    if len(data) != blob.size or digest_of_bytes(data) != blob.digest:
        found = f"{digest_of_bytes(data)}, {len(data)} bytes"
        raise damaged(reference, f"{attachment.path.name} ({blob.digest})", found)
    write_whole(attachment.path, data)
