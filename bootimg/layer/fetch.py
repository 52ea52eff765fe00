"""Fetching an image into the cache: what is there already is not fetched again, digests are kept.

Blobs land in the cache by digest.  The digest recorded is that of the manifest as the source has it.
"""

from __future__ import annotations

from bootimg.arch import Arch
from bootimg.cache import Cache
from bootimg.events import Events, Step
from bootimg.layer.blobs import BlobStore, digest_mismatch
from bootimg.layer.image import (
    DOCKER_MANIFEST,
    Image,
    build_image,
    config_digest_of,
    digest_of,
    hex_of,
)
from bootimg.layer.layout import fetch_layout
from bootimg.layer.reference import Reference, Transport, parse_reference
from bootimg.layer.selection import Descriptor, check_usable, descriptors, instance, is_index
from bootimg.layer.skopeo import RegistryOptions, check_version, scratch, skopeo, take
from bootimg.layer.storage import fetch_storage

__all__ = ["RegistryOptions", "fetch"]

_DEFAULT = RegistryOptions()
_INSPECT_TIMEOUT = 120.0
_COPY_TIMEOUT = 3600.0


def fetch(
    reference: str,
    *,
    arch: Arch,
    cache: Cache,
    events: Events,
    registry: RegistryOptions = _DEFAULT,
) -> Image:
    """The image for `arch` that `reference` names, its blobs verified and in the cache.

    Whatever no boot image can be made of is refused before its layers are fetched.
    """
    source = parse_reference(reference)
    store = BlobStore(cache)
    with events.step("fetch", f"Fetching {source}") as step:
        if source.transport is Transport.REGISTRY:
            image = _fetch_registry(source, arch, store, registry, step)
        elif source.transport is Transport.STORAGE:
            image = fetch_storage(source, arch, store, events, step)
        else:
            image = fetch_layout(source, str(source), arch, store, step)
        step.result(f"{image.digest} {image.version or ''}".strip(), cached=step.done == 0)
    return image


def _fetch_registry(
    source: Reference, arch: Arch, store: BlobStore, registry: RegistryOptions, step: Step
) -> Image:
    check_version()
    text = str(source)

    def inspect(name: str, *options: str) -> bytes:
        with scratch(store.cache) as folder:
            words = ["inspect", "--raw", *options, *registry.arguments(), f"docker://{name}"]
            return skopeo(words, text, scratch=folder, timeout=_INSPECT_TIMEOUT)

    def child(descriptor: Descriptor) -> bytes:
        digest = f"sha256:{hex_of(descriptor['digest'])}"
        return _verified(digest, inspect(f"{source.repository}@{digest}"))

    manifest = inspect(source.name)
    if "@" in source.name:
        _verified(source.name.rpartition("@")[2], manifest)
    if is_index(manifest):
        manifest = instance(descriptors(manifest), arch, text, child)
    pinned = f"{source.repository}@{digest_of(manifest)}"
    config_digest = config_digest_of(manifest)
    if not store.has(config_digest):
        store.add(config_digest, [inspect(pinned, "--config")])
    image = build_image(text, manifest, store.read(config_digest), arch)
    check_usable(image)
    store.add(image.digest, [manifest])
    with store.cache.locked(f"fetch-{image.digest}"):
        if not all(store.has(blob.digest, blob.size) for blob in image.layers):
            _copy(pinned, image, store, registry)
            step.advance(image.size)
    return image


def _copy(pinned: str, image: Image, store: BlobStore, registry: RegistryOptions) -> None:
    for blob in image.layers:
        if not store.has(blob.digest, blob.size):
            store.path(blob.digest).unlink(missing_ok=True)
    with scratch(store.cache) as folder:
        target = folder / "image"
        docker = image.media_type == DOCKER_MANIFEST
        # Only skopeo's dir: keeps Docker's own manifests; only oci: shares blobs that are here already.
        destination = [f"dir:{target}"] if docker else [
            "--dest-shared-blob-dir", str(store.folder), f"oci:{target}:layer"]  # fmt: skip
        words = ["copy", "--quiet", "--preserve-digests", "--remove-signatures", "--retry-times", "3",
                 *registry.arguments("src-"), f"docker://{pinned}"]  # fmt: skip
        # Options come before the two references.
        words[1:1] = destination[:-1]
        skopeo([*words, destination[-1]], image.reference, scratch=folder, timeout=_COPY_TIMEOUT)
        if docker:
            take(target, image, store)
    for blob in image.layers:
        if not store.has(blob.digest, blob.size):
            raise digest_mismatch(blob.digest, f"not {blob.size} bytes, or nothing at all")


def _verified(digest: str, data: bytes) -> bytes:
    if digest_of(data) != digest:
        raise digest_mismatch(digest, digest_of(data))
    return data
