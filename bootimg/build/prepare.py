"""From a reference to what a build is made of: the image, its tree, its facts, the recipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bootimg.build.request import Request
from bootimg.build.variables import make_variables
from bootimg.cache import Cache
from bootimg.disk.gpt import Gpt
from bootimg.errors import BootimgError, ExitCode
from bootimg.events import Events
from bootimg.layer.facts import LayerFacts, read_facts
from bootimg.layer.fetch import fetch
from bootimg.layer.image import Image
from bootimg.layer.tree import Tree, open_tree
from bootimg.manifest.model import Manifest
from bootimg.manifest.recipe import Recipe, read_recipe
from bootimg.manifest.render import render
from bootimg.sizes import format_size


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A fetched layer, opened."""

    image: Image
    tree: Tree
    facts: LayerFacts


def open_layer(request: Request, cache: Cache, events: Events) -> Layer:
    """Fetch the image, open its tree and read what it says of itself."""
    image = fetch(request.reference, arch=request.arch, cache=cache, events=events, registry=request.registry)
    tree = open_tree(image, cache, events)
    return Layer(image=image, tree=tree, facts=read_facts(image, tree))
