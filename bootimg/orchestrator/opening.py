"""A layer whose tree is open: read, and checked for making disks from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bootimg.cache import Cache
from bootimg.checks.findings import Finding
from bootimg.checks.system import System, system_of_image
from bootimg.events import Events
from bootimg.layer.image.fetched import Image
from bootimg.layer.tree.merged import open_tree
from bootimg.orchestrator.purity_gate import require_pure
from bootimg.orchestrator.recipes.prepare import Layer, read_layer
from bootimg.orchestrator.request import Request


@dataclass(frozen=True, slots=True)
class Opened:
    """The layer, the system in it, and the content of OpenShift that the request allows."""

    layer: Layer
    system: System
    impure: Sequence[Finding] = ()


def open_checked(request: Request, image: Image, cache: Cache, scratch: Path, events: Events) -> Opened:
    """Open a fetched image; refuses one from which no disk can or may be made, also with `layer-not-pure`."""
    layer = read_layer(request, image, open_tree(image, cache, events))
    system = system_of_image(image, layer.tree, scratch)
    return Opened(layer, system, require_pure(request, layer, system, events))
