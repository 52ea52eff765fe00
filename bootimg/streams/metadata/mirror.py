"""Copies the files that a stream names to one folder, and makes the stream that names the copies.

Existing files with the right digest are kept, so the same command continues an interrupted copy.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bootimg.atomic import whole_file
from bootimg.builds.find import digest_of
from bootimg.builds.names import is_plain_name
from bootimg.errors import BootimgError, ExitCode
from bootimg.sizes import MIB
from bootimg.streams.metadata.download import Downloaded, digest
from bootimg.streams.metadata.stream import ImageFormat, PlatformArtifacts, Stream, StreamArtifact
from bootimg.urls import joined, name_in

_SIGNATURE_LIMIT = MIB


@dataclass(frozen=True, slots=True)
class Chosen:
    """The files to copy: those of these architectures and platforms; empty means all."""

    arches: Collection[str] = ()
    platforms: Collection[str] = ()

    def has(self, arch: str, platform: str) -> bool:
        """Whether the files of a platform are chosen."""
        return arch in (self.arches or [arch]) and platform in (self.platforms or [platform])


@dataclass(frozen=True, slots=True)
class Copied:
    """A file in the folder with its size in bytes; `moved` is False if it existed already."""

    path: Path
    size: int
    moved: bool


def file_name(url: str) -> str:
    """The name of a file's copy; `stream-malformed` if the URL does not end in a file name."""
    name = name_in(url)
    if not is_plain_name(name):
        raise BootimgError(
            "stream-malformed",
            f"{url!r:.200} cannot be copied: it does not end in a file name",
            exit_code=ExitCode.USAGE,
        )
    return name


def chosen_files(stream: Stream, chosen: Chosen, reserved: str | None = None) -> Mapping[str, StreamArtifact]:
    """The chosen files by name; no file or signature may have the name `reserved`.

    `stream-malformed` if two different files (images or signatures) would have the same name;
    `stream-argument-invalid` if the stream has nothing for a named platform or architecture.
    """
    _require_known(stream, chosen)
    files: dict[str, StreamArtifact] = {}
    signatures: dict[str, StreamArtifact] = {}
    for artifact in _artifacts(stream, chosen):
        name = file_name(artifact.location)
        first = files.setdefault(name, artifact)
        if first.sha256 != artifact.sha256:
            raise _same_name(name, first.location, artifact.location)
        if artifact.signature is not None:
            _add_signature(signatures, artifact, artifact.signature)
            files[name] = artifact if first.signature is None else first
    _require_apart(files, signatures, reserved)
    return files


def _add_signature(signatures: dict[str, StreamArtifact], artifact: StreamArtifact, url: str) -> None:
    """Add a signature; two signatures with the same name must belong to the same file."""
    name = file_name(url)
    first = signatures.setdefault(name, artifact)
    if file_name(first.location) != file_name(artifact.location):
        raise _same_name(name, first.signature or "", url)


def _require_apart(
    files: Mapping[str, StreamArtifact], signatures: Mapping[str, StreamArtifact], reserved: str | None
) -> None:
    for name, artifact in signatures.items():
        if name in files:
            raise _same_name(name, files[name].location, artifact.signature or "")
        kept = files[file_name(artifact.location)].signature
        if kept is None or file_name(kept) != name:
            raise _same_name(file_name(artifact.location), kept or "", artifact.signature or "")
    if reserved in {*files, *signatures}:
        raise _same_name(reserved or "", "the stream's own file in the folder", "")


def _same_name(name: str, *places: str) -> BootimgError:
    return BootimgError(
        "stream-malformed",
        f"two different files have the name {name}",
        context=[each for each in places if each],
        hint="copy one platform or architecture at a time",
        exit_code=ExitCode.USAGE,
    )


def _require_known(stream: Stream, chosen: Chosen) -> None:
    there = {(arch, name) for arch, each in stream.architectures.items() for name in each.artifacts}
    known = {*stream.architectures, *(name for arch, name in there if arch in (chosen.arches or [arch]))}
    for name in (*chosen.arches, *chosen.platforms):
        if name not in known:
            raise BootimgError(
                "stream-argument-invalid",
                f"the stream has no files for {name}",
                hint="`bootimg stream mirror FILE --into DIR --dry-run` lists its files",
                exit_code=ExitCode.USAGE,
            )


def _artifacts(stream: Stream, chosen: Chosen) -> Iterator[StreamArtifact]:
    for arch, each in stream.architectures.items():
        for name, platform in each.artifacts.items():
            if chosen.has(arch, name):
                for image in platform.formats.values():
                    yield from image.files().values()


def copy(
    artifact: StreamArtifact, name: str, folder: Path, advance: Callable[[int], None]
) -> Iterator[Copied]:
    """Copy a file and its signature, each atomically; `download-damaged`, `download-failed`."""
    path = folder / name
    if path.is_file() and digest_of(path) == artifact.sha256:
        yield Copied(path, path.stat().st_size, False)
    else:
        yield Copied(path, _save(artifact.location, path, advance, artifact.sha256).size, True)
    if artifact.signature is not None:
        signature = folder / file_name(artifact.signature)
        yield Copied(signature, _save(artifact.signature, signature, advance).size, True)


def _save(url: str, path: Path, advance: Callable[[int], None], sha256: str | None = None) -> Downloaded:
    with whole_file(path) as file:

        def put(data: bytes) -> None:
            file.write(data)
            advance(len(data))

        found = digest(url, put, limit=None if sha256 else _SIGNATURE_LIMIT)
        if sha256 is not None and found.sha256 != sha256:
            raise BootimgError(
                "download-damaged",
                f"{url} does not match the stream",
                context=[f"the stream says sha256 {sha256}", f"it has {found.size} bytes, {found.sha256}"],
                hint="the file was not written; `bootimg stream lint --download` lists the files that differ",
            )
    return found


def at(stream: Stream, chosen: Chosen, base: str) -> Stream:
    """The stream with the chosen files moved below the URL `base`; the other files stay."""

    def moved(artifact: StreamArtifact) -> StreamArtifact:
        signature = artifact.signature and joined(base, file_name(artifact.signature))
        return replace(artifact, location=joined(base, file_name(artifact.location)), signature=signature)

    def image(found: ImageFormat) -> ImageFormat:
        return replace(found, **{role: moved(each) for role, each in found.files().items()})

    def platform(found: PlatformArtifacts) -> PlatformArtifacts:
        return replace(found, formats={name: image(each) for name, each in found.formats.items()})

    return replace(
        stream,
        architectures={
            arch: replace(
                each,
                artifacts={
                    name: platform(found) if chosen.has(arch, name) else found
                    for name, found in each.artifacts.items()
                },
            )
            for arch, each in stream.architectures.items()
        },
    )
