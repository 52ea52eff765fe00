"""A step of a build: what it requires, why it has work to do, what it takes, how it runs.

What a build requires is asked in the order of its cost: of the request alone, then of this machine, then of
the image's manifest and config, and of the layer's tree once that is open.  Programs are asked for as soon as
it is known that a step will run them.  `plan` and `build` ask the same.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from bootimg.cache import Cache
from bootimg.layer.image.fetched import Image
from bootimg.orchestrator.reading import Reading
from bootimg.orchestrator.recipes.prepare import Layer
from bootimg.orchestrator.request import Request
from bootimg.orchestrator.survey import Survey
from bootimg.orchestrator.work import Work


@dataclass(frozen=True, slots=True)
class Why:
    """Why a step has work to do; `cached` where it has none, and then what makes it needless."""

    text: str
    cached: bool = False


def needless(text: str = "in the cache") -> Why:
    """A step that has nothing to do."""
    return Why(text, cached=True)


@dataclass(frozen=True, slots=True)
class Need:
    """Bytes that a step writes to the cache and to the tree of builds."""

    cache: int = 0
    builds: int = 0

    def __add__(self, other: Need) -> Need:
        """Both together."""
        return Need(self.cache + other.cache, self.builds + other.builds)


class Step(ABC):
    """What every step has; `name` is that of events, the journal, plans and `--until`."""

    __slots__ = ()

    @property
    @abstractmethod
    def name(self) -> str:
        """The step's name, which never changes."""

    @property
    @abstractmethod
    def title(self) -> str:
        """What the step does, for people."""

    def require(self, request: Request) -> None:
        """Refuse what the request alone says cannot be."""
        return

    def require_machine(self, request: Request, cache: Cache) -> None:
        """Refuse what this machine cannot do: places, programs."""
        return

    def require_image(self, request: Request, image: Image, cache: Cache) -> None:
        """Refuse by the image's manifest and config."""
        return

    def require_layer(self, request: Request, layer: Layer) -> None:
        """Refuse by the layer's tree."""
        return

    def require_tools(self, request: Request, cache: Cache) -> None:
        """Refuse where this machine lacks what the step's work takes; asked of a step that has work to do."""
        return

    @abstractmethod
    def why(self, survey: Survey) -> Why:
        """Why the step has work to do, or why it has none."""

    def need(self, survey: Survey) -> Need:
        """The disk space that the step takes."""
        return Need()


class ReadingStep(Step):
    """A step before there is a build: it reads the layer into the cache."""

    __slots__ = ()

    @abstractmethod
    def run(self, reading: Reading) -> Path:
        """Read, note what was read in `reading`, and return where it is kept."""


class MakingStep(Step):
    """A step that makes something of the layer for a build."""

    __slots__ = ()

    @abstractmethod
    def run(self, work: Work) -> None:
        """Do the step's work and note it in the journal and in `work.progress`."""
