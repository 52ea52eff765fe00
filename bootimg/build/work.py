"""What the steps of one build share."""

from __future__ import annotations

from dataclasses import dataclass

from bootimg.build.journal import Journal
from bootimg.build.prepare import Layer
from bootimg.build.request import Request
from bootimg.build.until import Progress
from bootimg.builds.build import BuildDir
from bootimg.cache import Cache
from bootimg.checks.system import System
from bootimg.events import Events
from bootimg.platform import Platform


@dataclass(frozen=True, slots=True)
class Work:
    """A build under way: what is asked for, of which layer, where it goes, who hears of it.

    `system` is what the layer holds, its packages above all.
    """

    request: Request
    layer: Layer
    build: BuildDir
    journal: Journal
    cache: Cache
    events: Events
    progress: Progress
    system: System

    def wanted(self) -> list[Platform]:
        """The platforms whose images are to be made: those that the build lacks, or all with `force`."""
        request = self.request
        return [p for p in request.platforms if request.force or not self.build.has(p.image_key)]
