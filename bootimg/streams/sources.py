"""Where builds are read from: a local tree of builds, or one that is published over HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bootimg.arch import Arch
from bootimg.builds.find import Build, find_builds
from bootimg.builds.layout import META, build_folder
from bootimg.errors import BootimgError, ExitCode
from bootimg.streams.buildmeta import SAFE_NAME, Built, built
from bootimg.streams.download import get
from bootimg.streams.gojson import LIMIT, parse_object
from bootimg.streams.stream import read_file

RHCOS = "https://rhcos.mirror.openshift.com/art/storage/prod/streams"
FCOS = "https://builds.coreos.fedoraproject.org/prod/streams"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A build of one architecture."""

    arch: Arch
    id: str


class Source(Protocol):
    """Where builds are."""

    def build(self, wanted: Wanted) -> Built:
        """That build."""


@dataclass(frozen=True, slots=True)
class LocalBuilds:
    """A tree of builds on this machine."""

    builds: Path

    def build(self, wanted: Wanted) -> Built:
        """That build; `stream-unreadable` if it is not there."""
        path = build_folder(self.builds, wanted.id, wanted.arch) / META
        return _checked(parse(read_file(path), str(path)), wanted)

    def every_arch(self, which: str) -> Sequence[Built]:
        """The build `which` (`latest`, an id or a path) of all its architectures; `build-not-found`."""
        return [_of(each) for each in find_builds(self.builds, which)]


@dataclass(frozen=True, slots=True)
class RemoteBuilds:
    """The builds of a stream below a URL: `base`/`stream`/builds/ID/ARCH/meta.json."""

    base: str
    stream: str

    def build(self, wanted: Wanted) -> Built:
        """That build; `download-failed` if it cannot be had."""
        url = f"{self.base}/{self.stream}/builds/{wanted.id}/{wanted.arch}/{META}"
        return _checked(parse(get(url, LIMIT), url), wanted)


def parse(data: bytes, name: str) -> Built:
    """A build of the bytes of its meta.json."""
    return built(parse_object(data, name), name)


def wanted_builds(words: Sequence[str]) -> Sequence[Wanted]:
    """Builds that are named as ARCH=ID, each architecture once; `stream-argument-invalid` otherwise."""
    found: dict[Arch, Wanted] = {}
    for word in words:
        arch, equals, build = word.partition("=")
        if not equals or not SAFE_NAME.fullmatch(build):
            raise _invalid(f"{word!r:.200} is not ARCH=BUILD, such as x86_64=9.6.20250513-0")
        wanted = Wanted(Arch.parse(arch), build)
        if wanted.arch in found:
            raise _invalid(f"{wanted.arch} is named twice")
        found[wanted.arch] = wanted
    return [*found.values()]


def stream_name(name: str | None, builds: Sequence[Built]) -> str:
    """The stream's name: as given, else the one that all builds are of.

    `stream-argument-invalid` for one that cannot be part of a URL, `stream-name-missing` without one.
    """
    names = sorted({each.meta.stream or "" for each in builds}) if name is None else [name]
    if len(names) != 1 or not names[0]:
        raise BootimgError(
            "stream-name-missing",
            "the stream's name is not known",
            context=[f"{each.name}: {each.meta.stream or 'no stream'}" for each in builds],
            hint="give it with --name, such as --name rhel-9.6",
            exit_code=ExitCode.USAGE,
        )
    if not SAFE_NAME.fullmatch(names[0]):
        raise _invalid(f"{names[0]!r:.200} cannot be a stream's name")
    return names[0]


def published_base(builds: Sequence[Built]) -> str:
    """Where builds of that kind of system are published, if nothing else is said."""
    return FCOS if all(each.meta.name == "fedora-coreos" for each in builds) else RHCOS


def _of(build: Build) -> Built:
    return _checked(parse(read_file(build.path / META), str(build.path / META)), Wanted(build.arch, build.id))


def _checked(build: Built, wanted: Wanted) -> Built:
    there = Wanted(build.meta.arch, build.meta.buildid)
    if there != wanted:
        raise BootimgError(
            "stream-build-mismatch",
            f"{build.name} is of another build than its place says",
            context=[f"there: {there.id} {there.arch}", f"wanted: {wanted.id} {wanted.arch}"],
            hint="check where the builds are read from",
        )
    return build


def _invalid(message: str) -> BootimgError:
    return BootimgError(
        "stream-argument-invalid",
        message,
        hint="`bootimg stream --help` says what each of its commands takes",
        exit_code=ExitCode.USAGE,
    )
