"""The steps that read the layer: they fetch its blobs and open its tree."""

from __future__ import annotations

from pathlib import Path

from bootimg.atomic import require_space, require_writable
from bootimg.cache import Cache
from bootimg.layer.declared.facts import osname_of, version_of
from bootimg.layer.image.blobs import BlobStore
from bootimg.layer.image.fetched import Image
from bootimg.layer.image.reference import Transport, parse_reference
from bootimg.layer.tar.opened import is_open
from bootimg.orchestrator.opening import open_checked
from bootimg.orchestrator.reading import Reading
from bootimg.orchestrator.rebuild import require_same_image
from bootimg.orchestrator.recipes.prepare import fetch_image
from bootimg.orchestrator.refusals import refuse_other_stream, refuse_other_version
from bootimg.orchestrator.request import Request
from bootimg.orchestrator.space import blob_bytes, tar_bytes
from bootimg.orchestrator.step import Need, ReadingStep, Why, needless
from bootimg.orchestrator.survey import Survey
from bootimg.sizes import format_size


class Fetch(ReadingStep):
    """Fetches the image's blobs into the cache."""

    name = "fetch"
    title = "fetch the layer's blobs into the cache"

    def require(self, request: Request) -> None:
        """Require a reference that is well-formed."""
        parse_reference(request.reference)

    def require_machine(self, request: Request, cache: Cache) -> None:
        """Require a writable cache."""
        require_writable(cache.root, "give another folder with --cache or BOOTIMG_CACHE")

    def require_image(self, request: Request, image: Image, cache: Cache) -> None:
        """Require the requested layer, the labels that files are named after, and space for the layer."""
        refuse_other_stream(request, image)
        refuse_other_version(request, image)
        if request.source is not None:
            require_same_image(request.source, image)
        version_of(image)
        osname_of(image)
        # podman's storage has other blobs than its manifest lists.
        if parse_reference(request.reference).transport is not Transport.STORAGE:
            require_space(cache.root, blob_bytes(image, cache))

    def why(self, survey: Survey) -> Why:
        """Why: the cache lacks blobs."""
        lacking, layers = BlobStore(survey.cache).lacking(survey.image), survey.image.layers
        size = format_size(sum(blob.size for blob in lacking))
        return Why(f"{len(lacking)} of {len(layers)} layers missing, {size}") if lacking else needless()

    def need(self, survey: Survey) -> Need:
        """Space for the blobs."""
        return Need(cache=blob_bytes(survey.image, survey.cache))

    def run(self, reading: Reading) -> Path:
        """Fetch the blobs that the cache lacks."""
        reading.image = fetch_image(reading.request, reading.cache, reading.events, reading.settle)
        return reading.cache.root / "blobs"


class Layers(ReadingStep):
    """Decompresses and lists the layers, and reads them as one tree."""

    name = "layers"
    title = "decompress and read the layers"

    def why(self, survey: Survey) -> Why:
        """Why: layers are not decompressed yet."""
        layers = survey.image.layers
        closed = sum(not is_open(blob, survey.cache) for blob in layers)
        return Why(f"{closed} of {len(layers)} layers not decompressed yet") if closed else needless()

    def need(self, survey: Survey) -> Need:
        """Space for the tars."""
        return Need(cache=tar_bytes(survey.image, survey.cache))

    def run(self, reading: Reading) -> Path:
        """Open the tree; refuses a layer from which no disks may be made."""
        scratch = reading.cache.folder("tmp")
        image = reading.fetched()
        reading.opened = open_checked(reading.request, image, reading.cache, scratch, reading.events)
        return reading.cache.root / "tars"
