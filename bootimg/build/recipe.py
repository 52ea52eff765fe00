"""The recipe of a layer: what its rendered manifest says, held against the disk that the layer declares."""

from __future__ import annotations

from pathlib import Path

from bootimg.build.prepare import Layer, render_manifest
from bootimg.build.request import Request
from bootimg.disk.declared import require_declared
from bootimg.manifest.model import Manifest
from bootimg.manifest.reader import read_recipe
from bootimg.manifest.recipe import Recipe


def make_recipe(request: Request, layer: Layer, archive: Path, sha256: str) -> Recipe:
    """The recipe; `manifest-stage-unsupported`, and `disk-layout-unsupported` where the two differ."""
    recipe = read_recipe(Manifest.from_json(render_manifest(request, layer, archive, sha256)))
    if layer.facts.declared_disk is not None:
        require_declared(layer.facts.declared_disk, recipe)
    return recipe
