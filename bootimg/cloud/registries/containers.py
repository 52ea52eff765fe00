"""A container image of a build, read from its OCI archive, to be pushed by the very digest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from bootimg.atomic import require_space, scratch_folder
from bootimg.builds.find import Build, digest_of, require_digest
from bootimg.cache import Cache
from bootimg.cloud.registries.attaching import attached_to, created_of
from bootimg.cloud.registries.copying import Provide, Pushed, content, link_to
from bootimg.cloud.registries.manifests import Listed, docker_manifest
from bootimg.errors import BootimgError, ExitCode
from bootimg.layer.fetching.layoutfiles import OciLayout, open_layout
from bootimg.layer.fetching.ocilayout import inspect_layout
from bootimg.layer.image.blobs import BlobStore, digest_mismatch
from bootimg.layer.image.fetched import OCI_MANIFEST, Image, parse_document
from bootimg.layer.image.fetched import digest_of as digest_of_bytes
from bootimg.layer.image.reference import Reference, Transport
from bootimg.targets import LAYER_KEY, MANIFEST_KEY
from bootimg.untrusted.budget import Budget
from bootimg.untrusted.limits import DEFAULT, Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerKind:
    """A container of a build: its archive's key under `images`, and the key of its push in meta.json.

    SBOM and provenance are about the layer, and about `described` containers, which are made of it.
    """

    name: str
    image_key: str
    meta_key: str
    described: bool = False


KINDS = {
    each.name: each
    for each in (
        ContainerKind(name="oscontainer", image_key=LAYER_KEY, meta_key="base-oscontainer", described=True),
        ContainerKind(name="extensions", image_key="extensions-container", meta_key="extensions-container"),
        ContainerKind(name="kubevirt", image_key="kubevirt", meta_key="kubevirt", described=True),
        ContainerKind(name="legacy_oscontainer", image_key="legacy-oscontainer", meta_key="oscontainer"),
    )
}
"""By the names of the pipeline's `registry_repos`; the keys are those of its pushes."""


@contextmanager
def container_of(
    build: Build,
    kind: ContainerKind,
    cache: Cache,
    *,
    docker: bool,
    send: bool = True,
    limits: Limits = DEFAULT,
) -> Iterator[Pushed]:
    """The image of a build, while its archive is open; with `docker` in Docker's format.

    Without `send` it has to be in the registry.

    Blobs that the cache has are links; others are copied out of the archive when they are sent, which takes
    the archive's size in the cache's folder for that long.
    """
    entry = build.images.get(kind.image_key)
    archive = build.path / str(entry["path"]) if entry else None
    if archive is None or not archive.is_file():
        yield _known_by_digest(build, kind)
        return
    reference = Reference(Transport.ARCHIVE, str(archive))
    with (
        scratch_folder(cache.folder("tmp"), "push-") as folder,
        open_layout(reference, partial(scratch_folder, folder, "plain-"), Budget(limits)) as layout,
    ):
        image = inspect_layout(reference, str(archive), build.arch, Budget(limits))
        _require_recorded(build, kind, image)
        pushed = _pushed(build, kind, image, _blobs(build, kind, image, layout, cache), docker=docker)
        yield pushed if send else replace(pushed, manifest=None, attached=())


def _pushed(
    build: Build, kind: ContainerKind, image: Image, blobs: dict[str, Provide], *, docker: bool
) -> Pushed:
    manifest, media_type = image.manifest, image.media_type
    if docker and media_type == OCI_MANIFEST:
        manifest = _in_docker_format(build, image)
        media_type = parse_document(manifest, "manifest").required("mediaType", str)
    digest = digest_of_bytes(manifest)
    listed = Listed(media_type=media_type, digest=digest, size=len(manifest), arch=build.arch.oci)
    size = image.size + len(image.config)
    name = f"{kind.name} {build.arch}"
    attached = attached_to(build, listed, created_of(build), name) if kind.described else ()
    return Pushed(name=name, listed=listed, manifest=manifest, blobs=blobs, size=size, attached=attached)


def _in_docker_format(build: Build, image: Image) -> bytes:
    found = docker_manifest(parse_document(image.manifest, "manifest").values)
    if found is None:
        raise BootimgError(
            "registry-format-unsupported",
            f"the image of build {build.id} ({build.arch}) cannot be in Docker's format",
            context=["it has layers that are not compressed with gzip"],
            hint="remove `v2s2` from the repository in the streams file",
            exit_code=ExitCode.USAGE,
        )
    return found


def _blobs(
    build: Build, kind: ContainerKind, image: Image, layout: OciLayout, cache: Cache
) -> dict[str, Provide]:
    store, checked = BlobStore(cache), _ArchiveCheck(build, kind)

    def provide(digest: str, size: int) -> Provide:
        if store.has(digest, size):
            return link_to(store.path(digest))
        return lambda place: _extract(layout, digest, size, place, checked)

    found = {blob.digest: provide(blob.digest, blob.size) for blob in image.layers}
    return {**found, image.config_digest: content(image.config)}


def _extract(layout: OciLayout, digest: str, size: int, place: Path, checked: _ArchiveCheck) -> None:
    checked.once()
    name = f"blobs/sha256/{digest.partition(':')[2]}"
    if layout.size(name) != size:
        raise digest_mismatch(digest, f"{layout.size(name) or 'no'} bytes in the archive")
    require_space(place.parent, size)
    with place.open("xb") as output:
        # skopeo compares the digest while it sends.
        output.writelines(layout.chunks(name))


@dataclass
class _ArchiveCheck:
    """Compares the archive with meta.json before the first blob is taken out of it."""

    build: Build
    kind: ContainerKind
    done: bool = False

    def once(self) -> None:
        if not self.done:
            path = self.build.artifact(self.kind.image_key)
            require_digest(path, "sha256", self.build.images[self.kind.image_key]["sha256"], digest_of(path))
        self.done = True


def _require_recorded(build: Build, kind: ContainerKind, image: Image) -> None:
    """The layer's manifest is an artifact of its own, whose digest is the image's."""
    entry = build.images.get(MANIFEST_KEY) if kind.image_key == LAYER_KEY else None
    if entry is not None:
        path, found = build.path / str(entry["path"]), image.digest.partition(":")[2]
        require_digest(path, "sha256", entry["sha256"], found)


def _known_by_digest(build: Build, kind: ContainerKind) -> Pushed:
    """An image whose archive is not here: what meta.json says was pushed."""
    entry: Any = build.meta.get(kind.meta_key)
    digest = entry.get("digest") if isinstance(entry, dict) else None
    if not isinstance(digest, str):
        # Says which artifacts the build has, and how to get one.
        build.artifact(kind.image_key)
        raise AssertionError("the artifact is here")
    listed = Listed(media_type=OCI_MANIFEST, digest=digest, size=0, arch=build.arch.oci)
    return Pushed(name=f"{kind.name} {build.arch}", listed=listed, manifest=None)
