"""A step of a build: what it requires, why it has work to do, the space it takes, how it runs.

Requirements are checked in the order of their cost: first the request alone, then this machine, then the
image's manifest and config, and the layer's tree once it is open.  Programs are checked as soon as it is
known that a step will run them.  `plan` and `build` make the same checks.
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
    """Why a step has work to do; if it is `cached`, the step has none, and the text says why."""

    text: str
    cached: bool = False


def needless(text: str = "in the cache") -> Why:
    """The reason of a step that has nothing to do."""
    return Why(text, cached=True)


@dataclass(frozen=True, slots=True)
class Need:
    """Bytes that a step writes to the cache and to the tree of builds."""

    cache: int = 0
    builds: int = 0

    def __add__(self, other: Need) -> Need:
        """The sum of both."""
        return Need(self.cache + other.cache, self.builds + other.builds)


class Step(ABC):
    """What every step has; events, the journal, plans and `--until` use its `name`."""

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
        """Refuse what the request alone shows to be impossible."""
        return

    def require_machine(self, request: Request, cache: Cache) -> None:
        """Refuse what this machine cannot do: folders, programs."""
        return

    def require_image(self, request: Request, image: Image, cache: Cache) -> None:
        """Refuse by the image's manifest and config."""
        return

    def require_layer(self, request: Request, layer: Layer) -> None:
        """Refuse by the layer's tree."""
        return

    def require_tools(self, survey: Survey) -> None:
        """Refuse if this machine lacks what the step's work needs; called only if the step has work to do.

        It is called before the layer is read, and again when what is in the layer is known.
        """
        return

    @abstractmethod
    def why(self, survey: Survey) -> Why:
        """Why the step has work to do, or why not."""

    def way(self, survey: Survey) -> str:
        """The way in which the step will probably be done; empty for a step that has only one."""
        return ""

    def need(self, survey: Survey) -> Need:
        """The disk space that the step needs."""
        return Need()


class ReadingStep(Step):
    """A step before there is a build: it reads the layer into the cache."""

    __slots__ = ()

    @abstractmethod
    def run(self, reading: Reading) -> Path:
        """Read, store the result in `reading`, and return the path where it is kept."""


class MakingStep(Step):
    """A step that makes something from the layer for a build."""

    __slots__ = ()

    @abstractmethod
    def run(self, work: Work) -> None:
        """Do the step's work and record it in the journal and in `work.progress`."""
