"""What a build would do, given what exists already; planning changes nothing.

The layer's tree is opened only if the cache has it.  Without the tree, the steps after `layers` are not known
exactly, and sizes are guesses; `exact` says whether the tree was read.
"""

from __future__ import annotations

from dataclasses import dataclass

from bootimg.atomic import temporary_folder
from bootimg.cache import Cache
from bootimg.errors import BootimgError
from bootimg.events import Events
from bootimg.layer.declared.facts import version_of
from bootimg.layer.fetching.fetch import inspect
from bootimg.layer.image.fetched import Image
from bootimg.layer.tree.merged import is_open_tree
from bootimg.orchestrator.leftout import leave_out
from bootimg.orchestrator.opening import open_checked
from bootimg.orchestrator.request import Request
from bootimg.orchestrator.selection import NOTHING, Selection
from bootimg.orchestrator.space import Space, require_room
from bootimg.orchestrator.step import Need, Step
from bootimg.orchestrator.steps import require_image, require_layer, require_request, steps_of
from bootimg.orchestrator.survey import Survey
from bootimg.orchestrator.targets.target import PlannedArtifact
from bootimg.vm.probe import known_accelerator

__all__ = ["Plan", "PlannedArtifact", "PlannedStep", "check_image", "make_plan", "plan_of"]


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A step; `why` says why it will run or, if it is `cached`, why it need not.

    `seconds` is the time that it took last time on this machine, 0 if it is cached, None if unknown.
    """

    name: str
    cached: bool
    why: str
    seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a build would do.  `accelerator` is None if KVM was not tested yet."""

    image: Image
    version: str
    exact: bool
    accelerator: str | None
    accelerator_reason: str
    steps: tuple[PlannedStep, ...]
    artifacts: tuple[PlannedArtifact, ...]
    spaces: tuple[Space, ...]
    selection: Selection = NOTHING

    @property
    def seconds(self) -> float:
        """The time in seconds of those steps whose time is known."""
        return sum(step.seconds or 0 for step in self.steps)

    @property
    def unknown(self) -> tuple[str, ...]:
        """The steps whose time is unknown, because they never ran on this machine."""
        return tuple(step.name for step in self.steps if step.seconds is None)

    def as_dict(self) -> dict[str, object]:
        """The plan as `bootimg plan --json` prints it; sizes in bytes."""
        return {
            "layer": {
                "reference": self.image.reference,
                "digest": self.image.digest,
                "version": self.version,
                "arch": str(self.image.arch),
                "size": self.image.size,
            },
            "exact": self.exact,
            "accelerator": {"name": self.accelerator, "reason": self.accelerator_reason},
            "steps": [
                {"step": step.name, "cached": step.cached, "why": step.why, "seconds": step.seconds}
                for step in self.steps
            ],
            "seconds": round(self.seconds, 3),
            "seconds-unknown": list(self.unknown),
            "artifacts": [
                {
                    "key": artifact.key,
                    "name": artifact.name,
                    "virtual-size": artifact.virtual_size,
                    "cached": artifact.cached,
                }
                for artifact in self.artifacts
            ],
            "space": [
                {"for": space.purpose, "path": str(space.path), "need": space.need, "free": space.free}
                for space in self.spaces
            ],
            **self.selection.as_dict(),
        }


def make_plan(request: Request, cache: Cache) -> Plan:
    """The plan for a request; refuses what `build` would refuse, as far as that is known already."""
    request, image = _looked_at(request, cache)
    if not is_open_tree(image, cache):
        return plan_of(Survey(request, image, None, cache))
    with temporary_folder("bootimg-plan-") as folder:
        opened = open_checked(request, image, cache, folder, Events())
        survey = Survey(leave_out(request, opened.layer), image, opened, cache)
        require_layer(survey)
        plan = plan_of(survey)
    require_room(plan.spaces)
    return plan


def check_image(request: Request, cache: Cache) -> str:
    """Refuse what the request, this machine and the image's manifest rule out; returns the image's version.

    No layer is read, and nothing is kept.
    """
    return version_of(_looked_at(request, cache)[1])


def _looked_at(request: Request, cache: Cache) -> tuple[Request, Image]:
    """The checked request, updated for the version, and its image."""
    request = leave_out(request)
    require_request(request, cache)
    image = inspect(request.reference, request.arch, request.registry, request.limits)
    return require_image(request, image, cache), image


def plan_of(survey: Survey) -> Plan:
    """The plan for a survey of what exists."""
    steps = steps_of(survey.request)
    need = sum((step.need(survey) for step in steps), Need())
    name, reason = _accelerator(survey.request, survey.cache)
    return Plan(
        image=survey.image,
        version=survey.version,
        exact=survey.opened is not None,
        accelerator=name,
        accelerator_reason=reason,
        steps=tuple(_planned(step, survey) for step in steps),
        artifacts=tuple(artifact for target in steps.all_targets for artifact in target.artifacts(survey)),
        spaces=(
            Space("cache", survey.cache.root, need.cache),
            Space("builds", survey.request.builds.absolute(), need.builds),
        ),
        selection=survey.request.selection,
    )


def _planned(step: Step, survey: Survey) -> PlannedStep:
    why = step.why(survey)
    seconds = 0.0 if why.cached else survey.seconds(step.name, step.way(survey))
    return PlannedStep(step.name, why.cached, why.text, seconds)


def _accelerator(request: Request, cache: Cache) -> tuple[str | None, str]:
    try:
        found = known_accelerator(request.accelerator, cache)
    except BootimgError as error:
        return None, error.message
    return (found.name, found.reason) if found else (None, "not probed yet")
