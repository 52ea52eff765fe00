"""What a push to a repository has in it, for a request and a build with all its architectures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from bootimg.arch import Arch
from bootimg.builds.diskrecord import record_disk_push
from bootimg.builds.find import Build
from bootimg.builds.layout import META
from bootimg.builds.meta import MetaFile
from bootimg.cache import Cache
from bootimg.cloud.registries.client import Repository
from bootimg.cloud.registries.containers import ContainerKind, container_of
from bootimg.cloud.registries.copying import Pushed
from bootimg.cloud.registries.disks import annotations_of, disk_keys, disk_of
from bootimg.cloud.registries.push import InList, Push
from bootimg.cloud.registries.records import record_push
from bootimg.cloud.retry import BUDGET
from bootimg.errors import BootimgError, ExitCode
from bootimg.layer.fetching.skopeo import RegistryOptions
from bootimg.orchestrator.uploading.destinations import Destination, Target
from bootimg.streams.pipeline.config import StreamConfig
from bootimg.streams.versions.schemes import is_newer
from bootimg.targets import platform_of_key
from bootimg.untrusted.limits import DEFAULT, Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryRequest:
    """What is pushed of which build, and where.

    With `arch` only its images are sent; the others have to be in the registry.  `platforms` choose the
    disks by their keys in meta.json; without them all are pushed.  `limits` are those for an
    archive of a container.
    """

    targets: Sequence[Target]
    builds: Path
    which: str = "latest"
    arch: Arch | None = None
    platforms: tuple[str, ...] = ()
    stream: StreamConfig | None = None
    options: RegistryOptions = field(default_factory=RegistryOptions)
    dry_run: bool = False
    retry_for: float = BUDGET
    limits: Limits = DEFAULT


@dataclass(frozen=True, slots=True)
class WholeBuild:
    """A build with all its architectures; `absent` are those whose meta.json is not here."""

    id: str
    builds: Mapping[Arch, Build]
    absent: tuple[str, ...]


def container_push(
    request: RegistryRequest,
    whole: WholeBuild,
    destination: Destination,
    repository: Repository,
    kind: ContainerKind,
    cache: Cache,
) -> Push:
    """The push of a container of each architecture; what is done is recorded in each meta.json."""
    builds = [each for each in whole.builds.values() if _belongs(each, kind, whole)]
    docker = destination.repository.v2s2

    def opened(build: Build) -> AbstractContextManager[Pushed]:
        send = request.arch in (None, build.arch)
        return container_of(build, kind, cache, docker=docker, send=send, limits=request.limits)

    def entry(name: str, digest: str, **more: object) -> None:
        meta = MetaFile(whole.builds[Arch(name)].path / META)
        pushed = {"image": repository.name, "digest": digest, **more}
        record_push(meta, kind.meta_key, pushed, primary=destination.first)

    def done(name: str, found: InList) -> None:
        entry(name, found.digest, tags=list(found.tags), **{"manifest-list-digest": found.list_digest})

    push = _push(request, whole, destination, repository, kind.image_key)
    images = {str(each.arch): partial(opened, each) for each in builds}
    return replace(push, images=images, docker=docker, pushed=entry, done=done)


def _belongs(build: Build, kind: ContainerKind, whole: WholeBuild) -> bool:
    """Whether the list has an image of this architecture: a platform's may be made for some alone."""
    if (
        platform_of_key(kind.image_key) is None
        or kind.image_key in build.images
        or kind.meta_key in build.meta
    ):
        return True
    return not any(kind.image_key in each.images for each in whole.builds.values())


def disk_push(
    request: RegistryRequest, whole: WholeBuild, destination: Destination, repository: Repository
) -> Push:
    """The push of the disks that the request chooses, recorded in each bootimg.json.

    `artifact-missing` if there is none.
    """
    stream = request.stream.name if request.stream else None
    found: dict[str, Callable[[], AbstractContextManager[Pushed]]] = {}
    of: dict[str, tuple[Build, str]] = {}
    for build in whole.builds.values():
        for key in _chosen(request, build):
            pushed = disk_of(build, key, annotations_of(build, stream))
            if request.arch not in (None, build.arch):
                pushed = replace(pushed, manifest=None, attached=())
            found[pushed.name], of[pushed.name] = _ready(pushed), (build, key)
    if not found:
        raise BootimgError(
            "artifact-missing",
            f"build {whole.id} has no such disk image",
            context=[f"asked for: {', '.join(request.platforms) or 'all'}"],
            hint="`bootimg builds show` lists its images",
            exit_code=ExitCode.USAGE,
        )

    def entry(name: str, digest: str, **more: object) -> None:
        build, key = of[name]
        record_disk_push(build.path, {"image": repository.name, "platform": key, "digest": digest, **more})

    def done(name: str, pushed: InList) -> None:
        entry(name, pushed.digest, tags=list(pushed.tags), **{"manifest-list-digest": pushed.list_digest})

    push = _push(request, whole, destination, repository, None)
    return replace(push, images=found, grows=True, pushed=entry, done=done)


def _ready(pushed: Pushed) -> Callable[[], AbstractContextManager[Pushed]]:
    return lambda: nullcontext(pushed)


def _chosen(request: RegistryRequest, build: Build) -> Iterator[str]:
    for key in disk_keys(build):
        platform = platform_of_key(key)
        names = {key, platform.name if platform else key}
        if not request.platforms or names & set(request.platforms):
            yield key


def _push(
    request: RegistryRequest,
    whole: WholeBuild,
    destination: Destination,
    repository: Repository,
    image_key: str | None,
) -> Push:
    """What all pushes have; the images are added."""
    tags = destination.repository.tags
    platform = platform_of_key(image_key) if image_key else None
    arches = [str(each) for each in platform.arches] if platform else [str(each) for each in Arch]
    first = next(iter(whole.builds.values()))
    annotations = annotations_of(first, request.stream.name if request.stream else None)
    return Push(
        repository=repository,
        version=whole.id,
        images={},
        missing=[each for each in whole.absent if each in arches],
        pinned=[each for each in tags if whole.id in each],
        moving=[each for each in tags if whole.id not in each],
        annotations=annotations,
        is_newer=is_newer,
    )
