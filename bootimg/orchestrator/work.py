"""What the steps of one build share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bootimg.builds.folder import BuildDir
from bootimg.cache import Cache
from bootimg.checks.system import System
from bootimg.events import Events
from bootimg.layer.importing.importer import ImportedCommit
from bootimg.manifest.model import Json
from bootimg.manifest.recipe import Recipe
from bootimg.orchestrator.basedisk import BaseDisk
from bootimg.orchestrator.journal import Journal
from bootimg.orchestrator.progress import BuildProgress
from bootimg.orchestrator.recipes.prepare import Layer
from bootimg.orchestrator.request import Request


@dataclass
class Results:
    """The results that later steps need: the commit, the base disks and recipes by sector size.

    `manifest` is the rendered manifest, if osbuild makes the images.
    """

    commit: ImportedCommit | None = None
    recipes: Mapping[int, Recipe] = field(default_factory=dict)
    bases: Mapping[int, BaseDisk] = field(default_factory=dict)
    manifest: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Work:
    """A running build: its request, layer, output folder, journal and events.

    `system` is the content of the layer, mainly its packages; `results` are the results of its steps.
    """

    request: Request
    layer: Layer
    build: BuildDir
    journal: Journal
    cache: Cache
    events: Events
    progress: BuildProgress
    system: System
    results: Results = field(default_factory=Results)
