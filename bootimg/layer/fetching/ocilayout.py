"""Images in local OCI image layouts.  Format: the OCI image specification's "image layout"."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from bootimg.arch import Arch
from bootimg.atomic import require_space, temporary_folder
from bootimg.errors import BootimgError
from bootimg.events import Step
from bootimg.layer.fetching.layoutfiles import INDEX, OciLayout, open_layout
from bootimg.layer.fetching.skopeo import scratch
from bootimg.layer.image.blobs import BlobStore, verified
from bootimg.layer.image.fetched import (
    MAX_DOCUMENT,
    Blob,
    Image,
    build_image,
    config_digest_of,
    hex_of,
    malformed_image,
)
from bootimg.layer.image.manifestchoice import Check, architectures, by_tag, descriptors, instance
from bootimg.layer.image.reference import Reference
from bootimg.untrusted.budget import Budget


def inspect_layout(reference: Reference, text: str, arch: Arch, budget: Budget) -> Image:
    """The image for `arch` by its manifest and config, both verified; nothing else is read."""
    with open_layout(reference, partial(temporary_folder, "bootimg-inspect-"), budget) as layout:
        return _describe(layout, reference, text, arch, partial(_document, layout), budget)


def layout_architectures(reference: Reference, text: str, budget: Budget) -> tuple[str, ...]:
    """The OCI names of the architectures that the images with the reference's tag are for."""
    with open_layout(reference, partial(temporary_folder, "bootimg-inspect-"), budget) as layout:
        found = by_tag(descriptors(_small(layout, INDEX)), reference.tag, text)
        return architectures(
            found,
            lambda descriptor: _document(layout, str(descriptor["digest"])),
            lambda manifest: _document(layout, config_digest_of(manifest)),
        )


def fetch_layout(
    reference: Reference,
    text: str,
    arch: Arch,
    store: BlobStore,
    step: Step,
    check: Check,
    budget: Budget,
) -> Image:
    """Copy the blobs the store lacks, each verified; returns the image for `arch`."""
    with open_layout(reference, partial(scratch, store.cache), budget) as layout:

        def read(digest: str) -> bytes:
            if not store.has(digest):
                store.add(digest, [_document(layout, digest)])
            return store.read(digest)

        image = _describe(layout, reference, text, arch, read, budget)
        check(image)
        lacking = store.lacking(image)
        require_space(store.folder, sum(blob.size for blob in lacking))
        for blob in lacking:
            store.add(blob.digest, layout.chunks(_present(layout, blob.digest)), blob.size)
            step.advance(blob.size)
    return image


def fetch_layout_blob(reference: Reference, blob: Blob, store: BlobStore, budget: Budget) -> None:
    """Copy one blob from the layout into the store and verify it."""
    with open_layout(reference, partial(scratch, store.cache), budget) as layout:
        store.add(blob.digest, layout.chunks(_present(layout, blob.digest)), blob.size)


def _describe(
    layout: OciLayout,
    reference: Reference,
    text: str,
    arch: Arch,
    read: Callable[[str], bytes],
    budget: Budget,
) -> Image:
    index = descriptors(_small(layout, INDEX))
    found = by_tag(index, reference.tag, text)
    manifest = instance(found, arch, text, lambda descriptor: read(str(descriptor["digest"])))
    return build_image(text, manifest, read(config_digest_of(manifest)), arch, budget)


def _document(layout: OciLayout, digest: str) -> bytes:
    return verified(digest, _small(layout, _present(layout, digest)))


def _small(layout: OciLayout, name: str) -> bytes:
    size = layout.size(name)
    if size is not None and size > MAX_DOCUMENT:
        raise malformed_image(f"its {name} has {size} bytes, more than {MAX_DOCUMENT}")
    return b"".join(layout.chunks(name))


def _present(layout: OciLayout, digest: str) -> str:
    name = f"blobs/sha256/{hex_of(digest)}"
    if layout.size(name) is None:
        raise BootimgError(
            "layer-blob-missing",
            f"the image lacks a blob its manifest names: {digest}",
            hint="the copy is incomplete: copy it again with `skopeo copy --preserve-digests`",
        )
    return name
