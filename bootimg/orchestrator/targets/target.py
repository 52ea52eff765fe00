"""What a target is to a build: a step that makes files which the build keeps.

A new one is a module with a `Target`, its declaration in `bootimg.targets`, and its line in
`bootimg.orchestrator.targets.registry`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

from bootimg.builds.folder import BuildDir
from bootimg.jobs import Stop
from bootimg.orchestrator.request import Artifact
from bootimg.orchestrator.step import MakingStep, Why, needless
from bootimg.orchestrator.survey import Survey, has_all
from bootimg.orchestrator.work import Work
from bootimg.targets import DeclaredTarget


@dataclass(frozen=True, slots=True)
class PlannedArtifact:
    """An artifact by its key in meta.json; `virtual_size` is the disk's in bytes, where it is known."""

    key: str
    name: str
    virtual_size: int | None
    cached: bool


class Target(MakingStep):
    """A step that makes the files of one declared target.

    `base_sector_size` is that of the base disk which it is made from, None where it needs none.
    """

    __slots__ = ()

    @property
    @abstractmethod
    def declared(self) -> DeclaredTarget:
        """The target's names."""

    @property
    def name(self) -> str:
        """The step is called as the target is."""
        return self.declared.name

    @property
    def base_sector_size(self) -> int | None:
        """Which base disk it needs."""
        return None

    @abstractmethod
    def make(self, work: Work, stop: Stop) -> tuple[Artifact, ...]:
        """Make all its files and list them in meta.json; reading ends when `stop` is requested."""

    def memory(self, work: Work) -> int:
        """Bytes of memory that `make` takes at the most."""
        return 0

    def existing(self, work: Work) -> tuple[Artifact, ...] | None:
        """What the build has of it already, None where it is to be made."""
        if not has_all(work.request, work.build, self.declared):
            return None
        return tuple(artifact_of(work.build, key) for key in self.declared.listed_keys)

    def why(self, survey: Survey) -> Why:
        """Files that the build lacks."""
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
        """A compressor's suffix behind the files' names."""
        return ""

    def virtual_size(self, survey: Survey) -> int | None:
        """The size of the disk in its file."""
        return None

    def run(self, work: Work) -> None:
        """Make what the build lacks of it."""
        with work.journal.step(self.name):
            artifacts = self.existing(work)
            if artifacts is None:
                artifacts = self.make(work, Stop())
        work.progress.add(self.name, artifacts)


def artifact_of(build: BuildDir, key: str) -> Artifact:
    """An artifact that the build has already."""
    entry = build.meta.read()["images"][key]
    path = build.file(entry["path"])
    # coreos-assembler need not say the size.
    size = path.stat().st_size
    return Artifact(key=key, path=path, size=size, sha256=entry["sha256"], seconds=0, cached=True)
