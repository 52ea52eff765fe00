"""The one list of a build's steps: the steps of a request in their order, and what they require.

`build` runs them, and `plan` explains why they have work to do.  `--until`, the journal and the help use
their names.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from bootimg.arch import Arch
from bootimg.cache import Cache
from bootimg.errors import BootimgError, ExitCode
from bootimg.layer.declared.facts import version_of
from bootimg.layer.image.fetched import Image
from bootimg.layer.tree.merged import is_open_tree
from bootimg.orchestrator.buildsteps.basestep import BaseDisks
from bootimg.orchestrator.buildsteps.importstep import Import
from bootimg.orchestrator.buildsteps.osbuildstep import Osbuild
from bootimg.orchestrator.buildsteps.readsteps import Fetch, Layers
from bootimg.orchestrator.rebuild import only_failed
from bootimg.orchestrator.request import Builder, Request
from bootimg.orchestrator.selection import Selection
from bootimg.orchestrator.step import MakingStep, ReadingStep, Step
from bootimg.orchestrator.survey import Survey
from bootimg.orchestrator.targets.registry import targets_of_disks, targets_of_layer
from bootimg.orchestrator.targets.target import Target


@dataclass(frozen=True, slots=True)
class Steps:
    """The steps of one build in their order.

    `reading` and then `making` run one after the other; `making` runs with the build's folder locked.
    `targets` run side by side.
    """

    reading: tuple[ReadingStep, ...]
    making: tuple[MakingStep, ...]
    targets: tuple[Target, ...]

    def __iter__(self) -> Iterator[Step]:
        """All steps."""
        return iter((*self.reading, *self.making, *self.targets))

    @property
    def names(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(each.name for each in self)

    @property
    def all_targets(self) -> Iterator[Target]:
        """The steps that are targets, those of the layer too."""
        return (each for each in self if isinstance(each, Target))

    def up_to(self, name: str) -> Steps:
        """The steps up to the named one; raises `step-unknown` if no step has that name."""
        if name not in self.names:
            raise _unknown(name, self.names)
        kept = self.names[: self.names.index(name) + 1]
        return Steps(
            tuple(each for each in self.reading if each.name in kept),
            tuple(each for each in self.making if each.name in kept),
            tuple(each for each in self.targets if each.name in kept),
        )


def all_steps(request: Request) -> Steps:
    """The steps of a request that is not stopped early."""
    targets = targets_of_disks(request)
    needed = targets
    if request.stop_after in (names := [each.name for each in targets]):
        # Nothing is made for targets that are not reached.
        needed = targets[: names.index(request.stop_after) + 1]
    disks = Osbuild(needed) if request.builder is Builder.OSBUILD else BaseDisks(needed)
    return Steps((Fetch(), Layers()), (Import(), *targets_of_layer(request), disks), targets)


def steps_of(request: Request) -> Steps:
    """The steps of a request up to its `stop_after`; raises `step-unknown` if no step has that name."""
    steps = all_steps(request)
    return steps if request.stop_after is None else steps.up_to(request.stop_after)


def known_steps() -> tuple[Step, ...]:
    """Every step that a build can have, except targets that are made only on request."""
    extensions = Selection(extensions="")
    request = Request(reference="", arch=Arch.X86_64, platforms=(), builds=Path(), selection=extensions)
    found = (step for builder in Builder for step in all_steps(replace(request, builder=builder)))
    return tuple({step.name: step for step in found}.values())


def require_request(request: Request, cache: Cache) -> None:
    """Refuse what the request or this machine rules out, before fetching anything; cheap checks first."""
    steps = steps_of(request)
    for step in steps:
        step.require(request)
    for step in steps:
        step.require_machine(request, cache)


def require_image(request: Request, image: Image, cache: Cache) -> Request:
    """Refuse by manifest and config, before a layer is fetched.

    Returns the request, updated for the version: with `retry_failed` it keeps only the failed targets.
    """
    if request.retry_failed:
        request = only_failed(request, version_of(image))
    for step in steps_of(request):
        step.require_image(request, image, cache)
    if not is_open_tree(image, cache):
        _require_tools(Survey(request, image, None, cache))
    return request


def require_layer(survey: Survey) -> None:
    """Refuse by the layer's tree, before anything is made."""
    if survey.layer is not None:
        for step in steps_of(survey.request):
            step.require_layer(survey.request, survey.layer)
    _require_tools(survey)


def _require_tools(survey: Survey) -> None:
    for step in steps_of(survey.request):
        if not step.why(survey).cached:
            step.require_tools(survey)


def _unknown(name: str, names: tuple[str, ...]) -> BootimgError:
    return BootimgError(
        "step-unknown",
        f"the build has no step {name}",
        hint=f"its steps are {', '.join(names)}",
        exit_code=ExitCode.USAGE,
    )
