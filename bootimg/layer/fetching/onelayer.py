"""One layer of an image, without the others."""

from __future__ import annotations

from bootimg.cache import Cache
from bootimg.layer.fetching.imageproxy import image_proxy
from bootimg.layer.fetching.ocilayout import fetch_layout_blob
from bootimg.layer.fetching.skopeo import RegistryOptions
from bootimg.layer.image.blobs import BlobStore
from bootimg.layer.image.fetched import Blob, Image, pack
from bootimg.layer.image.reference import Transport, parse_reference
from bootimg.layer.tar.opened import LayerTar, open_layer


def one_layer(image: Image, number: int, cache: Cache, registry: RegistryOptions) -> LayerTar | None:
    """Fetch only the layer `number` of an image that `inspect` returned, and verify it.

    None for an image in podman's storage: the storage changes the form of layers, so fetch the whole image.
    """
    source = parse_reference(image.reference)
    if source.transport is Transport.STORAGE:
        return None
    blob, store = image.layers[number], BlobStore(cache)
    if not store.has(blob.digest, blob.size):
        if source.transport is Transport.REGISTRY:
            _fetch(f"{source.repository}@{image.digest}", blob, store, registry)
        else:
            fetch_layout_blob(source, blob, store, image.budget.again())
    budget = image.budget.fork()
    pack([blob], budget)
    return open_layer(blob, 0, cache, budget)


def _fetch(pinned: str, blob: Blob, store: BlobStore, registry: RegistryOptions) -> None:
    with image_proxy(pinned, registry) as proxy:
        store.add(blob.digest, proxy.chunks(blob), blob.size)
