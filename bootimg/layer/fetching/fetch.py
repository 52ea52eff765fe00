"""Fetching an image into the cache.  Blobs that the cache already has are not fetched again.

The cache stores blobs by digest.  The recorded digest is that of the source's manifest.
"""

from __future__ import annotations

from pathlib import Path

from bootimg.arch import Arch
from bootimg.atomic import require_space, temporary_folder
from bootimg.cache import Cache
from bootimg.events import Events, Step
from bootimg.layer.fetching.ocilayout import fetch_layout, inspect_layout
from bootimg.layer.fetching.registrydocuments import RegistryDocuments
from bootimg.layer.fetching.skopeo import RegistryOptions, check_version, scratch, skopeo, take
from bootimg.layer.fetching.storage import fetch_storage, inspect_storage
from bootimg.layer.image.blobs import BlobStore, digest_mismatch
from bootimg.layer.image.fetched import DOCKER_MANIFEST, Image, build_image, config_digest_of
from bootimg.layer.image.manifestchoice import Check, check_usable
from bootimg.layer.image.reference import Reference, Transport, parse_reference
from bootimg.untrusted.budget import Budget
from bootimg.untrusted.limits import DEFAULT, Limits

__all__ = ["RegistryOptions", "fetch", "inspect"]

_DEFAULT = RegistryOptions()
_COPY_TIMEOUT = 3600.0


def fetch(
    reference: str,
    *,
    arch: Arch,
    cache: Cache,
    events: Events,
    registry: RegistryOptions = _DEFAULT,
    check: Check | None = None,
    limits: Limits = DEFAULT,
) -> Image:
    """The image for `arch` that `reference` names, its blobs verified and in the cache.

    An image that no boot image can be made from is refused before its layers are fetched.  So is an image
    that `check` refuses, or that is beyond the limits (`image-over-budget`).
    """
    source, budget = parse_reference(reference), Budget(limits)
    store, usable = BlobStore(cache), _usable(check)
    with events.step("fetch", f"Fetching {source}") as step:
        if source.transport is Transport.REGISTRY:
            image = _fetch_registry(source, arch, store, registry, step, usable, budget)
        elif source.transport is Transport.STORAGE:
            image = fetch_storage(source, arch, store, events, step, usable, budget)
        else:
            image = fetch_layout(source, str(source), arch, store, step, usable, budget)
        step.result(f"{image.digest} {image.version or ''}".strip(), cached=step.done == 0)
    return image


def inspect(
    reference: str, arch: Arch, registry: RegistryOptions = _DEFAULT, limits: Limits = DEFAULT
) -> Image:
    """The image that `fetch` would fetch, from its manifest and config alone: no layer is read, nothing kept.

    `inspect` refuses the same images as `fetch`.  For an image that podman pulled it returns the registry's
    digests; `fetch` returns other digests, because podman's storage holds the layers uncompressed.
    """
    source, budget = parse_reference(reference), Budget(limits)
    if source.transport in (Transport.REGISTRY, Transport.STORAGE):
        with temporary_folder("bootimg-inspect-") as folder:
            if source.transport is Transport.REGISTRY:
                image = _inspect_registry(source, arch, registry, folder, budget)
            else:
                image = inspect_storage(source, arch, folder, budget)
    else:
        image = inspect_layout(source, str(source), arch, budget)
    check_usable(image)
    return image


def _usable(check: Check | None) -> Check:
    def usable(image: Image) -> None:
        check_usable(image)
        if check is not None:
            check(image)

    return usable


def _inspect_registry(
    source: Reference, arch: Arch, registry: RegistryOptions, folder: Path, budget: Budget
) -> Image:
    check_version()
    documents = RegistryDocuments(source, registry, folder)
    manifest = documents.manifest(arch)
    return build_image(str(source), manifest, documents.config(manifest), arch, budget)


def _fetch_registry(
    source: Reference,
    arch: Arch,
    store: BlobStore,
    registry: RegistryOptions,
    step: Step,
    check: Check,
    budget: Budget,
) -> Image:
    check_version()
    with scratch(store.cache) as folder:
        documents = RegistryDocuments(source, registry, folder)
        manifest = documents.manifest(arch)
        config_digest = config_digest_of(manifest)
        if not store.has(config_digest):
            store.add(config_digest, [documents.config(manifest)])
    image = build_image(str(source), manifest, store.read(config_digest), arch, budget)
    check(image)
    store.add(image.digest, [manifest])
    with store.cache.locked(f"fetch-{image.digest}"):
        if lacking := store.lacking(image):
            require_space(store.folder, sum(blob.size for blob in lacking))
            _copy(f"{source.repository}@{image.digest}", image, store, registry)
            step.advance(image.size)
    return image


def _copy(pinned: str, image: Image, store: BlobStore, registry: RegistryOptions) -> None:
    for blob in image.layers:
        if not store.has(blob.digest, blob.size):
            store.path(blob.digest).unlink(missing_ok=True)
    with scratch(store.cache) as folder:
        target = "image"
        docker = image.media_type == DOCKER_MANIFEST
        # skopeo keeps Docker manifests only with dir:, and reuses blobs of the store only with oci:.
        destination = [f"dir:{target}"] if docker else [
            "--dest-shared-blob-dir", str(store.folder.absolute()), f"oci:{target}:layer"]  # fmt: skip
        words = ["copy", "--quiet", "--preserve-digests", "--remove-signatures", "--retry-times", "3",
                 *registry.arguments("src-"), f"docker://{pinned}"]  # fmt: skip
        # Options come before the two references.
        words[1:1] = destination[:-1]
        skopeo([*words, destination[-1]], image.reference, scratch=folder, timeout=_COPY_TIMEOUT)
        if docker:
            take(folder / target, image, store)
    for blob in image.layers:
        if not store.has(blob.digest, blob.size):
            raise digest_mismatch(blob.digest, f"no blob of {blob.size} bytes")
