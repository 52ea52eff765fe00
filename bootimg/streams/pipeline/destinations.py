"""The destinations of a stream's builds: the bucket of builds, repositories of registries, clouds.

In names `${STREAM}` is replaced, and a hotfix's suffix is added; `${VERSION}` is replaced once it is known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NoReturn, TypeVar

from bootimg.errors import BootimgError
from bootimg.streams.pipeline.section import Section, substitute, substitute_all

Part = TypeVar("Part")
Fault = Callable[[BootimgError], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """The S3 bucket of builds: builds.json is at `name`/`builds_key`/builds/builds.json."""

    name: str
    builds_key: str = ""
    oci_sigs_key: str | None = None
    acl: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A repository of a registry, and the tags of a build in it; `v2s2` requests Docker's format."""

    repo: str
    tags: tuple[str, ...]
    v2s2: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Destinations:
    """`repositories` are by the pushed image (oscontainer, extensions, kubevirt …), `clouds` by name.

    A cloud's settings are those of the file; with `skip_clouds` nothing is uploaded to clouds.
    """

    bucket: Bucket | None = None
    repositories: Mapping[str, tuple[Repository, ...]] = field(default_factory=dict)
    clouds: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    skip_clouds: bool = False


def _refuse(error: BootimgError) -> NoReturn:
    raise error


def read_destinations(config: Section, stream: Section, name: str, fault: Fault = _refuse) -> Destinations:
    """The destinations of the stream `name`; its own repositories follow the pipeline's.

    `fault` gets the error of each malformed part (the bucket, the repositories of one kind, a cloud).  If it
    returns, that part is omitted.
    """

    def part(read: Callable[[], Part], default: Part) -> Part:
        try:
            return read()
        except BootimgError as error:
            fault(error)
            return default

    def section(parent: Section, key: str) -> Section:
        return part(lambda: parent.section(key), Section(parent.file, parent.at(key), {}))

    hotfix = part(lambda: config.section("hotfix").text("name"), None)
    suffix = f"-hotfix-{hotfix}" if hotfix else ""
    common, own = section(config, "registry_repos"), section(stream, "additional_registry_repos")
    clouds = section(config, "clouds")

    def repositories(kind: str) -> tuple[Repository, ...]:
        return _repositories(common, kind, name, suffix) + _repositories(own, kind, name, suffix)

    def cloud(key: str) -> Mapping[str, Any]:
        return dict(substitute_all(clouds.section(key).tree, STREAM=name))

    kinds = dict.fromkeys([*common.tree, *own.tree])
    return Destinations(
        bucket=part(lambda: _bucket(config, name + suffix), None),
        repositories={kind: part(partial(repositories, kind), ()) for kind in kinds},
        clouds={key: part(partial(cloud, key), {}) for key in clouds.tree},
        skip_clouds=part(lambda: stream.flag("skip_cloud_uploads"), False),
    )


def _bucket(config: Section, folder: str) -> Bucket | None:
    s3 = config.section("s3")
    if not s3.tree:
        return None
    return Bucket(
        name=s3.needed("bucket"),
        builds_key=substitute(s3.text("builds_key") or "", STREAM=folder),
        oci_sigs_key=s3.text("oci_sigs_key"),
        acl=s3.text("acl"),
    )


def _repositories(section: Section, kind: str, name: str, suffix: str) -> tuple[Repository, ...]:
    return tuple(
        Repository(
            repo=each.needed("repo"),
            tags=tuple(substitute(tag, STREAM=name) + suffix for tag in each.texts("tags")),
            v2s2=each.flag("v2s2"),
        )
        for each in section.sections(kind)
    )
