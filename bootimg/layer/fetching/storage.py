"""Images in podman's and buildah's own storage (containers-storage:).

The storage keeps layers unpacked and returns them uncompressed.  An image built on this machine has
uncompressed layers in its manifest and keeps its digest.  A pulled image gets a new manifest, and so
another digest than the registry's; a warning reports that.
"""

from __future__ import annotations

from pathlib import Path

from bootimg.arch import Arch
from bootimg.errors import BootimgError
from bootimg.events import Events, Step
from bootimg.layer.fetching.skopeo import check_version, scratch, skopeo, take
from bootimg.layer.fetching.skopeofailure import OTHER
from bootimg.layer.image.blobs import BlobStore, file_chunks
from bootimg.layer.image.fetched import Image, build_image, config_digest_of
from bootimg.layer.image.manifestchoice import Check, architecture_of
from bootimg.layer.image.reference import Reference
from bootimg.untrusted.budget import Budget

_TIMEOUT = 3600.0


def inspect_storage(source: Reference, arch: Arch, folder: Path, budget: Budget) -> Image:
    """The image by the manifest and config that the storage keeps; skopeo's files go to `folder`."""
    check_version()
    text = str(source)
    original = skopeo(["inspect", "--raw", text], text, scratch=folder, timeout=_TIMEOUT)
    config = skopeo(["inspect", "--raw", "--config", text], text, scratch=folder, timeout=_TIMEOUT)
    return build_image(text, original, config, arch, budget)


def storage_architecture(source: Reference, folder: Path) -> str:
    """The OCI name of an image's architecture; skopeo's files go to `folder`."""
    text = str(source)
    words = ["inspect", "--raw", "--config", text]
    return architecture_of(skopeo(words, text, scratch=folder, timeout=_TIMEOUT))


def fetch_storage(
    source: Reference,
    arch: Arch,
    store: BlobStore,
    events: Events,
    step: Step,
    check: Check,
    budget: Budget,
) -> Image:
    """Copy an image out of the storage into the store."""
    text = str(source)
    with scratch(store.cache) as folder:
        image = inspect_storage(source, arch, folder, budget.again())
        original = image.digest
        check(image)
        if all(store.has(blob.digest, blob.size) for blob in image.layers) and store.has(image.digest):
            return image
        target = folder / "image"
        _copy(text, target, folder)
        manifest = (target / "manifest.json").read_bytes()
        image = _store(text, manifest, target, arch, store, budget)
    if original != image.digest:
        events.message(
            f"{text} was pulled compressed and is stored unpacked: its digest here is {image.digest}, "
            f"the registry's is {original}",
            "warning",
        )
    step.advance(image.size)
    return image


def _copy(text: str, target: Path, folder: Path) -> None:
    words = ["copy", "--quiet", "--remove-signatures", text, f"dir:{target.name}"]
    try:
        skopeo([*words[:1], "--preserve-digests", *words[1:]], text, scratch=folder, timeout=_TIMEOUT)
    except BootimgError as error:
        if error.id != OTHER:
            raise
        skopeo(words, text, scratch=folder, timeout=_TIMEOUT)


def _store(text: str, manifest: bytes, target: Path, arch: Arch, store: BlobStore, budget: Budget) -> Image:
    digest = config_digest_of(manifest)
    with (target / digest.partition(":")[2]).open("rb") as handle:
        store.add(digest, file_chunks(handle))
    image = build_image(text, manifest, store.read(digest), arch, budget)
    take(target, image, store)
    store.add(image.digest, [manifest])
    return image
