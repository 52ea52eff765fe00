"""The state of a stream: the releases in its file, whether the tree has them, and lint's findings."""

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
    """A build whose images are in a stream's file.

    `newer` is the number of newer builds of the same stream in the tree, None if the tree lacks this build.
    """

    id: str
    arches: Sequence[str]
    newer: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamState:
    """A stream's file; `rows` has the places of each architecture, by section and platform.

    `compared` is whether digests were compared with the builds; this needs all its builds in the tree.
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
        """Whether the stream has images of several releases."""
        return len(self.releases) > 1

    @property
    def arches(self) -> Sequence[str]:
        """The stream's architectures."""
        return sorted(self.stream.architectures)

    @property
    def errors(self) -> int:
        """The number of findings that are errors."""
        return sum(each.level is Level.ERROR for each in self.findings)

    def releases_at(self, places: Iterable[Place]) -> Sequence[str]:
        """The distinct releases of these places."""
        return list(dict.fromkeys(filter(None, (self.items[each].release for each in places))))


def read_states(files: Sequence[Path], builds: Path, tree: Sequence[ListedBuild]) -> list[StreamState]:
    """The streams of these files; errors are those of `read_stream`."""
    return [_state(path, builds, tree) for path in files]


def _state(path: Path, builds: Path, tree: Sequence[ListedBuild]) -> StreamState:
    stream = read_stream(path)
    items = inventory(stream)
    releases = _releases(items, tree)
    # A stream often has builds that are no longer in the tree, and lint would report each as missing.
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
    """The number of newer builds of the release's stream; None if the tree lacks the release."""
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
