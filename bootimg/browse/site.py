"""All data of the site, read before any page is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bootimg.browse.changes import Change, changes
from bootimg.browse.links import Artifacts
from bootimg.browse.packages import PackageReader, Packages
from bootimg.browse.streams import StreamState, read_states
from bootimg.browse.tree import ArchBuild, ListedBuild, predecessors, read_tree

_IMPORTANT = (
    "kernel", "systemd", "ignition", "ostree", "rpm-ostree", "bootc", "bootupd", "podman",
    "selinux-policy", "cri-o",
)  # fmt: skip
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Since:
    """The changes since an older build; `skipped` are the builds between, whose packages are not known."""

    build: ArchBuild
    changes: Sequence[Change]
    skipped: Sequence[ArchBuild]


@dataclass(frozen=True, kw_only=True)
class Site:
    """The builds, newest first; their packages by id and architecture; the streams."""

    builds: Sequence[ListedBuild]
    packages: Mapping[Key, Packages]
    streams: Sequence[StreamState]
    artifacts: Artifacts

    @cached_property
    def title(self) -> str:
        """The site's title; it has the system's name if all builds have the same."""
        names = {each.text("name") for build in self.builds for each in build.arches} - {""}
        return f"{names.pop()} builds" if len(names) == 1 else "CoreOS builds"

    @cached_property
    def ids(self) -> frozenset[str]:
        """The ids of the builds that have a page."""
        return frozenset(each.id for each in self.builds)

    @cached_property
    def before(self) -> Mapping[Key, Sequence[ArchBuild]]:
        """The older builds of the same stream and architecture, the nearest first."""
        return predecessors(self.builds)

    def packages_of(self, build: ArchBuild) -> Packages:
        """The packages of a build of one architecture."""
        return self.packages[build.id, build.arch]

    def important(self, build: ArchBuild) -> Mapping[str, str]:
        """The versions of the most interesting packages."""
        found = {each.name: each.evr for each in self.packages_of(build).found or ()}
        return {name: found[name] for name in _IMPORTANT if name in found}

    def base(self, build: ArchBuild) -> ArchBuild | None:
        """The nearest older build of the same stream whose packages are known."""
        older = self.before.get((build.id, build.arch), ())
        return next((each for each in older if self.packages_of(each).found is not None), None)

    def since(self, build: ArchBuild) -> Since | None:
        """The changes since `base(build)`; None if the packages of either build are not known."""
        base, packages = self.base(build), self.packages_of(build).found
        old = self.packages_of(base).found if base else None
        if base is None or old is None or packages is None:
            return None
        older = self.before[build.id, build.arch]
        return Since(base, changes(old, packages), older[: older.index(base)])


def read_site(builds: Path, metadata: Sequence[Path], artifacts: Artifacts, packages: PackageReader) -> Site:
    """Read all data.

    Errors: `build-not-found`, `build-meta-malformed` for builds.json, those of `read_stream`.  A fault of
    one build is shown on its page.
    """
    tree = read_tree(builds)
    streams = read_states(metadata, builds, tree)
    arches = [each for build in tree for each in build.arches]
    with packages.events.step("packages", "Reading packages", total=len(arches), unit="builds") as step:
        found: dict[Key, Packages] = {}
        for each in arches:
            found[each.id, each.arch] = packages.read(each)
            step.advance(1)
        step.result(f"of {sum(each.found is not None for each in found.values())} of {len(found)} builds")
    return Site(builds=tree, packages=found, streams=streams, artifacts=artifacts)
