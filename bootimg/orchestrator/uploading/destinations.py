"""Which repositories a build is pushed to: those of the command line, or of the stream's `registry_repos`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from bootimg.cloud.registries.containers import KINDS
from bootimg.errors import BootimgError, ExitCode
from bootimg.layer.image.imagename import invalid_reference, name_fault, split_name
from bootimg.printable import shown
from bootimg.streams.pipeline.config import StreamConfig
from bootimg.streams.pipeline.destinations import Repository

DISKS = "disks"
"""The kind of OCI artifacts; the pipeline has no such kind, and ignores it."""
ALL = "all"
_DOCKER = "docker://"
_VERSION = "${VERSION}"


@dataclass(frozen=True, slots=True)
class Target:
    """A kind of what is pushed, and where to; without a repository, where the stream's file says."""

    kind: str
    repository: str | None = None
    tag: str | None = None


@dataclass(frozen=True, slots=True)
class Destination:
    """A repository for a kind, with the tags; `first` is the one that meta.json names first."""

    kind: str
    repository: Repository
    first: bool


def parse_target(text: str) -> Target:
    """`KIND`, `KIND=REPOSITORY` or `KIND=REPOSITORY:TAG`.

    Errors: `cloud-setting-invalid`, `layer-reference-invalid`.
    """
    kind, _, name = text.partition("=")
    if kind not in (*KINDS, DISKS, ALL) or (kind == ALL and name):
        raise BootimgError(
            "cloud-setting-invalid",
            f"{shown(text)} is not what can be pushed to a registry",
            hint=f"write KIND or KIND=REPOSITORY:TAG; kinds are {', '.join((*KINDS, DISKS))}, and {ALL}",
            exit_code=ExitCode.USAGE,
        )
    if not name:
        return Target(kind)
    name = name.removeprefix(_DOCKER)
    repository, tag, digest = split_name(name)
    if digest is not None or "@" in name:
        raise invalid_reference("a digest cannot be pushed to: name a tag, or none")
    return Target(kind, _checked(repository, tag), tag)


def destinations_of(
    targets: Sequence[Target], stream: StreamConfig | None, version: str
) -> list[Destination]:
    """The destinations, each repository of a kind once, with `${VERSION}` in tags replaced."""
    found: dict[tuple[str, str], Repository] = {}
    for target in targets:
        for kind, repository in _of(target, stream):
            before = found.get((kind, repository.repo))
            tags = (
                *(before.tags if before else ()),
                *(each.replace(_VERSION, version) for each in repository.tags),
            )
            _ = [_checked(repository.repo, tag) for tag in tags]
            found[kind, repository.repo] = replace(repository, tags=tuple(dict.fromkeys(tags)))
    kinds = [kind for kind, _ in found]
    return [Destination(kind, repository, kinds.index(kind) == number)
            for number, ((kind, _), repository) in enumerate(found.items())]  # fmt: skip


def _of(target: Target, stream: StreamConfig | None) -> Iterator[tuple[str, Repository]]:
    if target.repository is not None:
        yield target.kind, Repository(repo=target.repository, tags=(target.tag,) if target.tag else ())
        return
    if stream is None:
        raise _missing(f"nothing says which repository {target.kind} is pushed to")
    repositories = stream.uploads.repositories
    kinds = (
        [each for each in (*KINDS, DISKS) if repositories.get(each)] if target.kind == ALL else [target.kind]
    )
    for kind in kinds:
        if not repositories.get(kind):
            raise _missing(f"{stream.file} has no registry_repos.{kind}")
        for each in repositories[kind]:
            yield kind, replace(each, repo=_checked(each.repo, None))


def _checked(repository: str, tag: str | None) -> str:
    """The repository, which has a registry's name; `layer-reference-invalid`."""
    repository = repository.removeprefix(_DOCKER)
    name = repository if tag is None else f"{repository}:{tag}"
    if fault := name_fault(name):
        raise invalid_reference(f"{shown(name)} is not a registry name ({fault})")
    first = repository.partition("/")[0]
    if "/" not in repository or not (first == "localhost" or any(each in first for each in ".:")):
        raise invalid_reference(f"{shown(repository)} does not begin with a registry's name")
    return repository


def _missing(why: str) -> BootimgError:
    return BootimgError(
        "cloud-setting-missing",
        why,
        hint="name it: --registry KIND=REPOSITORY:TAG; or name a stream with --stream",
        exit_code=ExitCode.USAGE,
    )
