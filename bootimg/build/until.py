"""Stopping after a step, as `--until` says: which steps there are, and what is kept then."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from bootimg.build.request import Artifact, Builder, Outcome, Request
from bootimg.builds.layout import build_folder
from bootimg.errors import BootimgError, ExitCode

STEPS = ("fetch", "layers", "import", "archive", "base")
"""The steps before those of the platforms, in their order; osbuild has its own in the place of `base`."""


def require_step(request: Request) -> None:
    """`step-unknown` where the build has no step that `until` names."""
    own: tuple[str, ...] = STEPS if request.builder is Builder.GUESTFS else (*STEPS[:-1], "osbuild")
    if request.selection.extensions:
        own = (*own[:-1], "extensions", own[-1])
    names = [*own, *(platform.name for platform in request.platforms)]
    if request.until is not None and request.until not in names:
        raise BootimgError(
            "step-unknown",
            f"the build has no step {request.until}",
            hint=f"its steps are {', '.join(names)}",
            exit_code=ExitCode.USAGE,
        )


class StepReached(Exception):
    """The step after which the build is to stop is done."""


@dataclass
class Progress:
    """How far a build came: where the results of its steps are, and the artifacts."""

    request: Request
    version: str = ""
    kept: dict[str, Path] = field(default_factory=dict)
    artifacts: list[Artifact] = field(default_factory=list)
    sbom: Artifact | None = None
    base_disks: dict[int, Path] = field(default_factory=dict)
    failures: dict[str, BootimgError] = field(default_factory=dict)

    def done(self, step: str, path: Path | None) -> None:
        """Note a step and its result, where it had one to make; raises `StepReached` after the last."""
        if path is not None:
            self.kept[step] = path
        if step == self.request.until:
            raise StepReached

    def made(self) -> bool:
        """Whether the build has any of the images that were asked for."""
        keys = {platform.image_key for platform in self.request.platforms}
        return any(artifact.key in keys for artifact in self.artifacts)

    def outcome(self) -> Outcome:
        """The outcome of a build that was stopped here; it is not listed in builds.json."""
        return Outcome(
            build_id=self.version,
            arch=self.request.arch,
            path=build_folder(self.request.builds, self.version, self.request.arch),
            artifacts=tuple(self.artifacts),
            sbom=self.sbom,
            base_disks=self.base_disks,
            statistics={},
            stopped_after=self.request.until,
            kept=self.kept,
            selection=self.request.selection,
        )


def stopped_text(outcome: Outcome) -> str:
    """Where everything is, and how to go on, for people."""
    places = [f"  {step:<10} {path}" for step, path in outcome.kept.items()]
    following = "next: the same command, with a later step or without --until, goes on from there"
    return "\n".join([f"stopped after the step {outcome.stopped_after}; kept:", *places, "", following])
