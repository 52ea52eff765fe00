"""The recipes of a layer, read from its rendered manifest and checked against the disk that it declares."""

from __future__ import annotations

from pathlib import Path

from bootimg.disk.declared import require_declared
from bootimg.manifest.model import Manifest
from bootimg.manifest.reader import read_recipes
from bootimg.manifest.recipe import Recipe
from bootimg.orchestrator.recipes.prepare import Layer, render_manifest
from bootimg.orchestrator.request import Request


def make_recipes(request: Request, layer: Layer, archive: Path, sha256: str) -> dict[int, Recipe]:
    """A recipe for each sector size of the request's platforms, and for 512 bytes.

    Raises `manifest-stage-unsupported`, and `disk-layout-unsupported` if the layer declares another disk.
    """
    recipes = read_recipes(Manifest.from_json(render_manifest(request, layer, archive, sha256)))
    if layer.facts.declared_disk is not None:
        for recipe in recipes.values():
            require_declared(layer.facts.declared_disk, recipe)
    return recipes
