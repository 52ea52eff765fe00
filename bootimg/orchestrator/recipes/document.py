"""The manifest of an image, for reading it or for giving it to osbuild."""

from __future__ import annotations

import hashlib
from pathlib import Path

from bootimg.cache import Cache
from bootimg.events import Events
from bootimg.layer.fetching.archive import write_ociarchive
from bootimg.layer.image.reference import Transport, parse_reference
from bootimg.manifest.model import Json
from bootimg.manifest.render import ContainerImage, render
from bootimg.orchestrator.recipes.prepare import Layer, open_layer, render_manifest
from bootimg.orchestrator.recipes.variables import make_variables
from bootimg.orchestrator.request import Request


def manifest_of(request: Request, cache: Cache, events: Events) -> Json:
    """The manifest that osbuild would run.

    osbuild itself fetches an image from a registry, by its digest.  It gets any other image as an archive,
    which is kept in the cache.
    """
    layer = open_layer(request, cache, events)
    if parse_reference(layer.image.reference).transport is Transport.REGISTRY:
        return render(
            make_variables(request, layer.image, layer.tree, layer.facts, container=_container(layer))
        )
    archive, sha256 = _archive(layer, cache, events)
    return render_manifest(request, layer, archive, sha256)


def _container(layer: Layer) -> ContainerImage:
    """The image without its tag: skopeo takes no reference with both a tag and a digest."""
    return ContainerImage(
        name=parse_reference(layer.image.reference).repository,
        digest=layer.image.digest,
        image_id=layer.image.config_digest,
    )


def _archive(layer: Layer, cache: Cache, events: Events) -> tuple[Path, str]:
    """The layer's archive in the cache and its sha256."""
    name = layer.image.digest.removeprefix("sha256:")
    archive = cache.folder("archives") / f"{name}.ociarchive"
    with (
        cache.locked(f"archive-{name}", events),
        events.step("archive", "archiving the layer", total=layer.image.size) as step,
    ):
        if archive.exists():
            step.result("kept", cached=True)
            with archive.open("rb") as handle:
                return archive, hashlib.file_digest(handle, "sha256").hexdigest()
        return archive, write_ociarchive(layer.image, cache, archive)[0]
