"""Where a stream's builds go: the bucket of builds, repositories of registries, clouds.

Names have `${STREAM}` put in already, and a hotfix's suffix; `${VERSION}` is put in when it is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bootimg.streams.section import Section, substitute, substitute_all


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """The S3 bucket of builds: builds.json is at `name`/`builds_key`/builds/builds.json."""

    name: str
    builds_key: str = ""
    oci_sigs_key: str | None = None
    acl: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A repository of a registry, and the tags that a build gets there; `v2s2` is Docker's format."""

    repo: str
    tags: tuple[str, ...]
    v2s2: bool = False

    def of_version(self, version: str) -> Repository:
        """The same with a build's version put into the tags."""
        return replace(self, tags=tuple(substitute(tag, VERSION=version) for tag in self.tags))


@dataclass(frozen=True, slots=True, kw_only=True)
class Destinations:
    """`repositories` are by what is pushed (oscontainer, extensions, kubevirt …), `clouds` by their names.

    A cloud's settings are what stands in the file; nothing goes to clouds with `skip_clouds`.
    """

    bucket: Bucket | None = None
    repositories: Mapping[str, tuple[Repository, ...]] = field(default_factory=dict)
    clouds: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    skip_clouds: bool = False


def read_destinations(config: Section, stream: Section, name: str) -> Destinations:
    """Those of the stream `name`, whose own repositories come after the pipeline's."""
    hotfix = config.section("hotfix").text("name")
    suffix = f"-hotfix-{hotfix}" if hotfix else ""
    common, own = config.section("registry_repos"), stream.section("additional_registry_repos")
    clouds = config.section("clouds")
    return Destinations(
        bucket=_bucket(config, name + suffix),
        repositories={
            kind: _repositories(common, kind, name, suffix) + _repositories(own, kind, name, suffix)
            for kind in dict.fromkeys([*common.tree, *own.tree])
        },
        clouds={cloud: substitute_all(clouds.section(cloud).tree, STREAM=name) for cloud in clouds.tree},
        skip_clouds=stream.flag("skip_cloud_uploads"),
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
