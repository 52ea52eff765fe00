"""The progress of a build: the results of its steps, and where they are."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bootimg.builds.layout import build_folder
from bootimg.builds.provenance.writing import WrittenProvenance
from bootimg.errors import BootimgError
from bootimg.orchestrator.request import Artifact, Outcome, Request
from bootimg.targets import PROVENANCE_KEY, SBOM_KEY


@dataclass
class BuildProgress:
    """What a build has so far; `kept` has the paths of its steps' results, by the steps' names."""

    request: Request
    version: str = ""
    kept: dict[str, Path] = field(default_factory=dict)
    artifacts: list[Artifact] = field(default_factory=list)
    base_disks: dict[int, Path] = field(default_factory=dict)
    failures: dict[str, BootimgError] = field(default_factory=dict)
    provenance: Artifact | None = None

    def done(self, step: str, path: Path | None) -> None:
        """Record a step and its result, if it made one."""
        if path is not None:
            self.kept[step] = path

    def add(self, target: str, artifacts: Collection[Artifact]) -> None:
        """Record a target that exists with all its artifacts."""
        self.artifacts += artifacts
        self.done(target, next((each.path for each in artifacts), None))

    def add_provenance(self, written: WrittenProvenance | None) -> None:
        """Record the statement about the build, if it has one."""
        if written is not None:
            file, folder = written.file, build_folder(self.request.builds, self.version, self.request.arch)
            self.provenance = Artifact(key=PROVENANCE_KEY, path=folder / file.path, size=file.size,
                                       sha256=file.sha256, seconds=0, cached=written.cached)  # fmt: skip

    def artifact(self, key: str) -> Artifact:
        """An artifact that an earlier step made or found."""
        return next(each for each in self.artifacts if each.key == key)

    def outcome(self, statistics: Mapping[str, object] | None = None) -> Outcome:
        """The outcome of the build; it was stopped here if the request says so."""
        return Outcome(
            build_id=self.version,
            arch=self.request.arch,
            path=build_folder(self.request.builds, self.version, self.request.arch),
            artifacts=tuple(each for each in self.artifacts if each.key != SBOM_KEY),
            sbom=next((each for each in self.artifacts if each.key == SBOM_KEY), None),
            provenance=self.provenance,
            base_disks=self.base_disks,
            failures=self.failures,
            statistics=statistics or {},
            stopped_after=self.request.stop_after,
            kept=self.kept if self.request.stop_after else {},
            selection=self.request.selection,
        )


def stopped_text(outcome: Outcome) -> str:
    """Lines with the path of every result, and how to continue."""
    places = [f"  {step:<10} {path}" for step, path in outcome.kept.items()]
    return "\n".join(
        [f"stopped after the step {outcome.stopped_after}; kept:", *places, *_following(outcome)]
    )


def _following(outcome: Outcome) -> Iterator[str]:
    yield from (f"failed: {name}: {error}" for name, error in outcome.failures.items())
    yield ""
    yield "next: the same command, with a later step or without --until, continues from there"
