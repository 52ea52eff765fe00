"""Makes a stream from builds, and updates a stream to newer builds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bootimg.errors import BootimgError, ExitCode
from bootimg.printable import printable
from bootimg.streams.metadata.buildmeta import Built
from bootimg.streams.metadata.release import stream_arch
from bootimg.streams.metadata.releases import Published, release_arch
from bootimg.streams.metadata.stream import Extensions, Marketplace, Metadata, Stream, StreamArch
from bootimg.streams.versions.schemes import is_newer


@dataclass(frozen=True, slots=True)
class Bumped:
    """The stream after a bump, and notes for the user."""

    stream: Stream
    notes: Sequence[str] = ()


def stream_of(builds: Sequence[Built], published: Published, metadata: Metadata) -> Stream:
    """A stream of these builds, which may have different releases."""
    arches = {each.meta.basearch: _arch(each, published) for each in builds}
    return Stream(published.stream, metadata, arches)


def bump(
    before: Stream,
    builds: Sequence[Built],
    published: Published,
    metadata: Metadata,
    *,
    keep_newer: bool = False,
) -> Bumped:
    """The stream `before` with the builds' architectures replaced and its name corrected.

    Data that is not in builds stays: marketplace data, and images for Windows if the new build has none.  So
    does an architecture that has a newer release, with `keep_newer`.  If nothing changes, the result is
    `before`, with its time stamp.
    """
    arches, notes = dict(before.architectures), []
    for build in builds:
        name = build.meta.basearch
        if keep_newer and (newer := _newer(before.architectures.get(name), build.meta.buildid)):
            notes.append(f"{name}: the stream has {newer} already, which is newer than {build.meta.buildid}")
            continue
        fresh = _arch(build, published)
        arches[name] = _with_kept(before.architectures.get(name), fresh)
        if _winli(arches[name]) and not _winli(fresh):
            notes.append(f"{name}: {build.meta.buildid} has no aws-winli images; the old ones are kept")
    after = Stream(published.stream, before.metadata, arches)
    return Bumped(before if after == before else replace(after, metadata=metadata), notes)


def merge(streams: Sequence[Stream], name: str | None, metadata: Metadata) -> Stream:
    """One stream made of several streams with different architectures.

    `stream-conflict` if two differ for the same architecture, or if their names differ and `name` is None.
    """
    names = sorted({each.stream for each in streams})
    if name is None and len(names) > 1:
        raise _conflict(f"the files have different streams: {', '.join(names)}", "set the name with --name")
    arches: dict[str, StreamArch] = {}
    for each in streams:
        for arch, found in each.architectures.items():
            if arches.setdefault(arch, found) != found:
                raise _conflict(f"two files differ for {arch}", "omit one of them")
    return Stream(name or names[0], metadata, arches)


def with_marketplace(stream: Stream, marketplaces: Mapping[str, Marketplace]) -> Stream:
    """The stream with the data of a marketplace file, for the stream's architectures."""
    arches = dict(stream.architectures)
    for name in arches.keys() & marketplaces.keys():
        extensions = arches[name].rhel_coreos_extensions or Extensions()
        arches[name] = replace(
            arches[name], rhel_coreos_extensions=replace(extensions, marketplace=marketplaces[name])
        )
    return replace(stream, architectures=arches)


def _arch(build: Built, published: Published) -> StreamArch:
    return stream_arch(build.meta.buildid, release_arch(build, published))


def _newer(arch: StreamArch | None, build: str) -> str | None:
    """A release of the architecture that is newer than the build."""
    releases = {each.release for each in arch.artifacts.values()} if arch else set[str]()
    return next((each for each in sorted(releases) if is_newer(each, build)), None)


def _with_kept(before: StreamArch | None, after: StreamArch) -> StreamArch:
    old = before.rhel_coreos_extensions if before else None
    if old is None:
        return after
    new = after.rhel_coreos_extensions or Extensions()
    kept = Extensions(new.aws_winli or old.aws_winli, new.azure_disk, old.marketplace)
    return after if kept == Extensions() else replace(after, rhel_coreos_extensions=kept)


def _winli(arch: StreamArch) -> bool:
    return bool(arch.rhel_coreos_extensions and arch.rhel_coreos_extensions.aws_winli)


def _conflict(message: str, hint: str) -> BootimgError:
    return BootimgError("stream-conflict", printable(message), hint=hint, exit_code=ExitCode.USAGE)
