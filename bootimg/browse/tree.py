"""The builds of the site, read from untrusted files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bootimg.arch import Arch
from bootimg.builds.layout import META
from bootimg.builds.meta import read_json
from bootimg.builds.record import NOTHING, Record, read_record
from bootimg.builds.state import ArchState, BuildState, build_states
from bootimg.errors import BootimgError, ExitCode
from bootimg.streams.metadata.releasebrowser import stream_for_version, stream_of

_PREFIX = "coreos-assembler"
Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchBuild:
    """A build of one architecture; if `state.problem` is set, `meta` and `record` are empty."""

    id: str
    folder: Path
    state: ArchState
    meta: Json
    record: Record = NOTHING

    @property
    def arch(self) -> str:
        """The name of its folder, which may be an architecture that bootimg does not know."""
        return self.state.arch

    @property
    def labels(self) -> Mapping[str, str]:
        """The layer's labels with string values."""
        found = self.meta.get(f"{_PREFIX}.oci-imported-labels")
        pairs = found.items() if isinstance(found, dict) else ()
        return {key: value for key, value in pairs if isinstance(value, str)}

    @property
    def stream(self) -> str:
        """The stream's name; empty if it is not known."""
        path = stream_for_version(self.id) or ""
        branch = self.text(f"{_PREFIX}.container-config-git", "branch")
        found = (self.labels.get("com.coreos.stream"), self.record.stream, path.rpartition("/")[2], branch)
        return next((each for each in found if each and each != "HEAD"), "")

    @property
    def stream_path(self) -> str:
        """The stream in the form of links to a release browser, such as prod/streams/rhel-9.6."""
        suffix = "" if self.arch == Arch.X86_64 else f"-{self.arch}"
        return stream_of(self.labels, self.id, suffix) or f"prod/streams/{self.stream}"

    @property
    def created(self) -> str:
        """When its layer was made (RFC 3339); empty if unknown."""
        return self.text(f"{_PREFIX}.build-timestamp") or self.text("ostree-timestamp")

    def text(self, *path: str) -> str:
        """The string at a path of meta.json; empty if it does not exist."""
        found: object = self.meta
        for key in path:
            found = found.get(key) if isinstance(found, dict) else None
        return found if isinstance(found, str) else ""

    def image(self, key: str) -> Json:
        """The entry of an artifact in meta.json; empty if it does not exist."""
        images = self.meta.get("images")
        entry = images.get(key) if isinstance(images, dict) else None
        return entry if isinstance(entry, dict) else {}


@dataclass(frozen=True, slots=True)
class ListedBuild:
    """A build with all its architectures."""

    state: BuildState
    arches: Sequence[ArchBuild]

    @property
    def id(self) -> str:
        """The build's id."""
        return self.state.id


def read_tree(builds: Path) -> list[ListedBuild]:
    """Every build, newest first; `build-not-found` if the tree is empty."""
    # An index that was edited by hand may list a build twice.
    states = {each.id: each for each in reversed(build_states(builds))}
    if not states:
        raise BootimgError(
            "build-not-found",
            f"{builds} holds no builds",
            hint="name the tree of builds, the folder of builds.json, with --builds",
            exit_code=ExitCode.USAGE,
        )
    return [ListedBuild(each, [*_arches(builds, each)]) for each in reversed(states.values())]


def predecessors(builds: Sequence[ListedBuild]) -> Mapping[tuple[str, str], Sequence[ArchBuild]]:
    """The older builds of the same stream, newest first, by id and architecture.

    A build that builds.json does not list has no predecessors and is not one itself.
    """
    lines: dict[tuple[str, str], list[ArchBuild]] = {}
    found: dict[tuple[str, str], Sequence[ArchBuild]] = {}
    for build in reversed([each for each in builds if each.state.listed]):
        for each in build.arches:
            if each.stream:
                line = lines.setdefault((each.stream, each.arch), [])
                found[each.id, each.arch] = line[::-1]
                line.append(each)
    return found


def _arches(builds: Path, state: BuildState) -> Iterator[ArchBuild]:
    for each in state.arches:
        folder = builds / state.id / each.arch
        yield _arch(state.id, folder, each)


def _arch(build_id: str, folder: Path, state: ArchState) -> ArchBuild:
    empty = ArchBuild(id=build_id, folder=folder, state=state, meta={})
    if state.problem is not None:
        return empty
    try:
        return replace(empty, meta=read_json(folder / META), record=read_record(folder))
    except BootimgError as error:
        return replace(empty, state=replace(state, problem=error.message))
