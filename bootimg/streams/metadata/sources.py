"""Sources of builds: a local tree of builds, or one that is published over HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bootimg.arch import Arch
from bootimg.builds.find import Build, find_build
from bootimg.builds.layout import META, build_folder
from bootimg.builds.record import LIMIT as RECORD_LIMIT
from bootimg.builds.record import NOTHING, RECORD, parse_record, read_record
from bootimg.errors import BootimgError
from bootimg.streams.metadata.buildmeta import Built, built
from bootimg.streams.metadata.download import find, get
from bootimg.streams.metadata.gojson import parse_tree
from bootimg.streams.metadata.stream import read_file
from bootimg.untrusted.tree import LIMIT
from bootimg.urls import joined


@dataclass(frozen=True, slots=True)
class Wanted:
    """A build of one architecture."""

    arch: Arch
    id: str


class BuildSource(Protocol):
    """A source of builds."""

    def build(self, wanted: Wanted) -> Built:
        """Read the build."""


@dataclass(frozen=True, slots=True)
class LocalBuilds:
    """A tree of builds on this machine."""

    builds: Path

    def build(self, wanted: Wanted) -> Built:
        """Read the build; `stream-unreadable` if it does not exist."""
        return _local(build_folder(self.builds, wanted.id, wanted.arch), wanted)

    def every_arch(self, which: str) -> Sequence[Built]:
        """The build `which` (`latest`, an id or a path) in all its architectures; `build-not-found`."""
        found: dict[Path, Build] = {}
        for arch in Arch:
            build = self._find(which, arch)
            # If `which` is the path of one architecture's folder, every `arch` finds the same build.
            found.update({} if build is None else {build.path: build})
        if not found:
            find_build(self.builds, which)
        return [_local(each.path, Wanted(each.arch, each.id)) for each in found.values()]

    def _find(self, which: str, arch: Arch) -> Build | None:
        try:
            return find_build(self.builds, which, arch)
        except BootimgError as error:
            if error.id != "build-not-found":
                raise
            return None


@dataclass(frozen=True, slots=True)
class RemoteBuilds:
    """The builds of a stream below a URL: `base`/`stream`/builds/ID/ARCH/meta.json.

    A missing record means that bootimg did not make the build, or that it skips nothing.
    """

    base: str
    stream: str

    def build(self, wanted: Wanted) -> Built:
        """Read the build; `download-failed` if it is not available."""
        folder = joined(self.base, f"{self.stream}/builds/{wanted.id}/{wanted.arch}")
        url, beside = f"{folder}/{META}", f"{folder}/{RECORD}"
        data, found = get(url, LIMIT), find(beside, RECORD_LIMIT)
        record = NOTHING if found is None else parse_record(found, beside)
        return _checked(built(parse_tree(data, url), url, record), wanted)


def _local(folder: Path, wanted: Wanted) -> Built:
    path = folder / META
    tree = parse_tree(read_file(path), str(path))
    return _checked(built(tree, str(path), read_record(folder)), wanted)


def _checked(build: Built, wanted: Wanted) -> Built:
    there = Wanted(build.meta.arch, build.meta.buildid)
    if there != wanted:
        raise BootimgError(
            "stream-build-mismatch",
            f"{build.name} declares another build than its folder",
            context=[f"there: {there.id} {there.arch}", f"wanted: {wanted.id} {wanted.arch}"],
            hint="check the source of the builds",
        )
    return build
