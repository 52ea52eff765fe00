"""Which targets a request has, and what makes each of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bootimg.jobs import Stop
from bootimg.orchestrator.refusals import unmade
from bootimg.orchestrator.request import Artifact, Request
from bootimg.orchestrator.targets.archive import Archive
from bootimg.orchestrator.targets.extensions import Extensions
from bootimg.orchestrator.targets.image import PlatformImage
from bootimg.orchestrator.targets.layersbom import LayerSbom
from bootimg.orchestrator.targets.live import Live
from bootimg.orchestrator.targets.secex import Secex
from bootimg.orchestrator.targets.target import Target
from bootimg.orchestrator.work import Work
from bootimg.targets import LIVE, SECEX, DeclaredTarget

MAKERS: Mapping[str, Callable[[], Target]] = {LIVE.name: Live, SECEX.name: Secex}
"""The makers of targets that are requested by name and are not platform images."""


class Unmade(Target):
    """A declared target that nothing makes yet; a request for it is refused with the reason."""

    title = "nothing"

    def __init__(self, declared: DeclaredTarget) -> None:
        self._declared = declared

    @property
    def declared(self) -> DeclaredTarget:
        """The target's names."""
        return self._declared

    def require(self, request: Request) -> None:
        """Refuse it."""
        raise unmade(self.declared, self.declared.obstacle)

    def make(self, work: Work, stop: Stop) -> tuple[Artifact, ...]:
        """Refuse it as `require` does."""
        raise unmade(self.declared, self.declared.obstacle)


def targets_of_layer(request: Request) -> tuple[Target, ...]:
    """The targets that are made from the layer alone, in their order."""
    reference = request.selection.extensions
    return (Archive(), LayerSbom(), *([Extensions(reference)] if reference is not None else []))


def targets_of_disks(request: Request) -> tuple[Target, ...]:
    """The targets that are requested by name: the platforms' images, then the others."""
    images = (PlatformImage(each) for each in request.platforms)
    return (*images, *map(_maker, request.selection.targets))


def _maker(declared: DeclaredTarget) -> Target:
    make = MAKERS.get(declared.name)
    return make() if make is not None else Unmade(declared)
