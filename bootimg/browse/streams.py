"""The state of a stream: which releases its file names, whether the tree has them, what lint says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bootimg.browse.tree import ListedBuild
from bootimg.streams.lint.check import lint
from bootimg.streams.lint.findings import Against, Level, StreamFinding
from bootimg.streams.metadata.inventory import ARTIFACTS, Item, Place, inventory
from bootimg.streams.metadata.sources import LocalBuilds
from bootimg.streams.metadata.stream import Stream, read_stream


@dataclass(frozen=True, slots=True)
class Release:
    """A build that a stream's file has images of.

    `newer` is how many builds of its own stream the tree has that are newer, None if it has not this one.
    """

    id: str
    arches: Sequence[str]
    newer: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamState:
    """A stream's file; `rows` has, by section and platform, what each architecture has.

    `compared` is whether digests were compared with builds, all of which are then in the tree.
    """

    file: str
    stream: Stream
    releases: Sequence[Release]
    rows: Mapping[tuple[str, str], Mapping[str, Sequence[Place]]]
    items: Mapping[Place, Item]
    findings: Sequence[StreamFinding]
    compared: bool

    @property
    def mixed(self) -> bool:
        """Whether it has images of several releases."""
        return len(self.releases) > 1

    @property
    def arches(self) -> Sequence[str]:
        """Its architectures."""
        return sorted(self.stream.architectures)

    @property
    def errors(self) -> int:
        """How many findings are errors."""
        return sum(each.level is Level.ERROR for each in self.findings)

    def releases_at(self, places: Iterable[Place]) -> Sequence[str]:
        """The releases of these places, each once."""
        return list(dict.fromkeys(filter(None, (self.items[each].release for each in places))))


def read_states(files: Sequence[Path], builds: Path, tree: Sequence[ListedBuild]) -> list[StreamState]:
    """The streams of these files; errors are those of `read_stream`."""
    return [_state(path, builds, tree) for path in files]


def _state(path: Path, builds: Path, tree: Sequence[ListedBuild]) -> StreamState:
    stream = read_stream(path)
    items = inventory(stream)
    releases = _releases(items, tree)
    # A file may well be of builds that are no longer here, and lint would call each of them missing.
    compared = bool(releases) and all(_is_here(each, tree) for each in releases)
    against = Against(builds=LocalBuilds(builds) if compared else None)
    return StreamState(
        file=path.name,
        stream=stream,
        releases=releases,
        rows=_rows(items),
        items=items,
        findings=lint(stream, against),
        compared=compared,
    )


def _rows(items: Mapping[Place, Item]) -> Mapping[tuple[str, str], Mapping[str, Sequence[Place]]]:
    found: dict[tuple[str, str], dict[str, list[Place]]] = {}
    for place in sorted(items, key=lambda each: (each.section != ARTIFACTS, each)):
        row = found.setdefault((place.section, place.name), {})
        row.setdefault(place.arch, []).append(place)
    return dict(sorted(found.items(), key=lambda each: (each[0][0] != ARTIFACTS, each[0])))


def _releases(items: Mapping[Place, Item], tree: Sequence[ListedBuild]) -> list[Release]:
    arches: dict[str, set[str]] = {}
    for place, item in items.items():
        if item.release:
            arches.setdefault(item.release, set()).add(place.arch)
    return [Release(each, sorted(found), _newer(each, tree)) for each, found in sorted(arches.items())]


def _newer(release: str, tree: Sequence[ListedBuild]) -> int | None:
    """How many builds of the release's own stream are newer than it."""
    names = {each.stream for build in tree if build.id == release for each in build.arches}
    newer = 0
    for build in tree:
        if build.id == release:
            return newer
        newer += build.state.listed and any(each.stream in names for each in build.arches)
    return None


def _is_here(release: Release, tree: Sequence[ListedBuild]) -> bool:
    here = {each.arch for build in tree if build.id == release.id for each in build.arches if each.meta}
    return set(release.arches) <= here
