"""A target of a build: a step that makes files which the build keeps.

To add one, write a module with a `Target`, declare it in `bootimg.targets`, and add a line to
`bootimg.orchestrator.targets.registry`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bootimg.builds.folder import BuildDir
from bootimg.jobs import Stop
from bootimg.orchestrator.recipes.prepare import Layer
from bootimg.orchestrator.request import Artifact, Request
from bootimg.orchestrator.step import MakingStep, Why, needless
from bootimg.orchestrator.survey import Survey, has_all
from bootimg.orchestrator.work import Work
from bootimg.targets import DeclaredTarget


@dataclass(frozen=True, slots=True)
class PlannedArtifact:
    """An artifact by its key in meta.json; `virtual_size` is the disk's in bytes, or None if unknown."""

    key: str
    name: str
    virtual_size: int | None
    cached: bool


class Target(MakingStep):
    """A step that makes the files of one declared target.

    `base_sector_sizes` are the sector sizes of the base disks that it is made from; none if it needs none.
    """

    __slots__ = ()

    @property
    @abstractmethod
    def declared(self) -> DeclaredTarget:
        """The target's names."""

    @property
    def name(self) -> str:
        """The step's name, which is the target's."""
        return self.declared.name

    @property
    def base_sector_sizes(self) -> tuple[int, ...]:
        """The sector sizes of the base disks that it needs, in bytes."""
        return ()

    @abstractmethod
    def make(self, work: Work, stop: Stop) -> tuple[Artifact, ...]:
        """Make all its files and list them in meta.json; the work ends early when `stop` is requested."""

    def impossible(self, request: Request, layer: Layer | None) -> str | None:
        """Why `all` and a stream leave it out, by the request or the layer (None: not read yet); None if not.

        A target that is requested by its name is refused instead.
        """
        return None

    def made_with(self, work: Work) -> Mapping[str, Mapping[str, str]]:
        """By the keys of its files: programs of others whose version decides on the bytes, as in `Made`."""
        return {}

    def memory(self, work: Work) -> int:
        """The most bytes of memory that `make` takes."""
        return 0

    def existing(self, work: Work) -> tuple[Artifact, ...] | None:
        """The target's artifacts that the build has already; None if the target must be made."""
        if not has_all(work.request, work.build, self.declared):
            return None
        return tuple(artifact_of(work.build, key) for key in self.declared.listed_keys)

    def why(self, survey: Survey) -> Why:
        """Why: the build lacks files of the target."""
        if survey.has(self.declared):
            return needless("made already")
        return Why(survey.why_not_made(self.declared))

    def artifacts(self, survey: Survey) -> Iterator[PlannedArtifact]:
        """What `make` will return, or `existing`."""
        osname, version, arch = survey.image.osname, survey.version, survey.request.arch
        cached = survey.has(self.declared)
        for file in self.declared.listed:
            name = file.file_name(osname, version, arch, self.suffix(survey))
            yield PlannedArtifact(file.key, name, self.virtual_size(survey), cached)

    def suffix(self, survey: Survey) -> str:
        """The compressor's suffix at the end of the files' names."""
        return ""

    def virtual_size(self, survey: Survey) -> int | None:
        """The size of the disk in its file."""
        return None

    def run(self, work: Work) -> None:
        """Make the target if the build lacks it."""
        with work.journal.step(self.name):
            artifacts = self.existing(work)
            if artifacts is None:
                artifacts = self.make(work, Stop())
        work.progress.add(self.name, artifacts)


def artifact_of(build: BuildDir, key: str) -> Artifact:
    """An artifact that the build already has, from its entry in meta.json."""
    entry = build.meta.read()["images"][key]
    path = build.file(entry["path"])
    # coreos-assembler may omit the size.
    size = path.stat().st_size
    return Artifact(key=key, path=path, size=size, sha256=entry["sha256"], seconds=0, cached=True)
