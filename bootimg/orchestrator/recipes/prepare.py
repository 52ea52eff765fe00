"""From a reference to the inputs of a build: the image, its tree, its facts, the manifest."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bootimg.cache import Cache
from bootimg.events import Events
from bootimg.layer.declared.facts import LayerFacts, read_facts
from bootimg.layer.fetching.fetch import fetch
from bootimg.layer.image.fetched import Image
from bootimg.layer.image.manifestchoice import Check
from bootimg.layer.tree.merged import Tree, open_tree
from bootimg.manifest.model import Json
from bootimg.manifest.render import render
from bootimg.orchestrator.recipes.variables import disk_sizes_mib, make_variables, target_imgref
from bootimg.orchestrator.request import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A fetched layer, opened."""

    image: Image
    tree: Tree
    facts: LayerFacts


def open_layer(request: Request, cache: Cache, events: Events) -> Layer:
    """Fetch the image, open its tree, read what it declares; refuse an image that cannot be built from."""
    image = fetch_image(request, cache, events)
    return read_layer(request, image, open_tree(image, cache, events))


def fetch_image(request: Request, cache: Cache, events: Events, check: Check | None = None) -> Image:
    """The image that the request names, with its blobs in the cache; `check` as for `fetch`."""
    return fetch(
        request.reference,
        arch=request.arch,
        cache=cache,
        events=events,
        registry=request.registry,
        check=check,
        limits=request.limits,
    )


def read_layer(request: Request, image: Image, tree: Tree) -> Layer:
    """The layer of an opened tree; refuses the same images as `read_layer`."""
    facts = read_facts(image, tree)
    target_imgref(request, image, facts)
    disk_sizes_mib(request, tree, facts)
    return Layer(image=image, tree=tree, facts=facts)


def render_manifest(request: Request, layer: Layer, archive: Path, sha256: str) -> Json:
    """The manifest that osbuild would run, with the layer from its archive."""
    variables = make_variables(
        request, layer.image, layer.tree, layer.facts, ociarchive=str(archive.absolute()), sha256=sha256
    )
    return render(variables)
