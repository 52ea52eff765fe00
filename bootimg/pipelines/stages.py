"""What a run of the pipeline does for a stream: from config.yaml, the layer's labels and the bucket."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bootimg.api.arches import arch_requests
from bootimg.api.choosing import layer_of
from bootimg.arch import Arch, ArchChoice
from bootimg.builds.bucket.s3client import parse_place
from bootimg.builds.bucket.tree import Bucket
from bootimg.cache import Cache
from bootimg.cloud.registries.containers import KINDS
from bootimg.errors import BootimgError, ExitCode
from bootimg.events import Events
from bootimg.layer.fetching.arches import pinned
from bootimg.layer.fetching.skopeo import RegistryOptions
from bootimg.orchestrator.manyarches.making import common_version
from bootimg.orchestrator.manyarches.requests import ArchRequests
from bootimg.orchestrator.uploading.destinations import DISKS
from bootimg.pipelines.pushed import find_pushed
from bootimg.streams.pipeline.config import StreamConfig, read_stream_config, read_streams_file


@dataclass(frozen=True, slots=True, kw_only=True)
class StagesRequest:
    """What a run is about; what is None comes from the stream's file.

    `builds_url` is the folder of builds.json, `stream_url` the stream's metadata, both `s3://…`.
    """

    stream: str
    streams: Path
    builds: Path
    layer: str | None = None
    builds_url: str | None = None
    stream_url: str | None = None
    endpoint: str | None = None
    registry: RegistryOptions = field(default_factory=RegistryOptions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """What the stages work on.

    `layer` is pinned by its digest, `missing` are the architectures that the bucket does not have whole,
    `registries` the kinds of `upload --registry`, `clouds` platforms.  `time` is in seconds since 1970.
    """

    build: str
    layer: str
    arches: tuple[Arch, ...]
    missing: tuple[Arch, ...]
    registries: tuple[str, ...]
    clouds: tuple[str, ...]
    skip_reason: str | None
    left_out: Mapping[str, str]
    builds_url: str
    stream_url: str
    time: int

    def as_dict(self) -> dict[str, Any]:
        """The stages as `--json` prints them; architectures by the names of Kubernetes' nodes."""
        return {
            "build": self.build,
            "layer": self.layer,
            "arches": [each.oci for each in self.arches],
            "missing": [each.oci for each in self.missing],
            "registries": ",".join(self.registries),
            "clouds": list(self.clouds),
            "make": bool(self.missing),
            "push": bool(self.registries),
            "upload": bool(self.clouds),
            "publish": self.skip_reason is None,
            "skip-disk-images": self.skip_reason,
            "left-out": dict(self.left_out),
            "builds-url": self.builds_url,
            "stream-url": self.stream_url,
            "time": self.time,
        }


def plan_stages(wanted: StagesRequest, cache: Cache, events: Events) -> Stages:
    """The stages of a run; nothing is made.

    Refuses what `build` would refuse, as far as the layer's manifests show it.  Errors: those of the streams
    file and of the layer, `pipeline-bucket-missing`.
    """
    config = read_stream_config(read_streams_file(wanted.streams), wanted.stream)
    builds_url = wanted.builds_url or builds_url_of(config)
    bucket = Bucket(parse_place(builds_url, endpoint=wanted.endpoint))
    layer = pinned(layer_of(wanted.layer, config), wanted.registry)
    found = arch_requests(
        layer, ArchChoice(), events=events, stream=wanted.stream, streams=wanted.streams,
        builds=wanted.builds, registry=wanted.registry,
    )  # fmt: skip
    version = common_version(found, cache)
    there = find_pushed(bucket, version)
    return Stages(
        build=version,
        layer=layer,
        arches=tuple(found.requests),
        missing=tuple(a for a, each in found.requests.items() if not there.is_whole(a, each.selection)),
        registries=tuple(_registries(config, found)),
        clouds=tuple(_clouds(config, found)),
        skip_reason=next(each.selection.skip_reason for each in found.requests.values()),
        left_out=found.left_out,
        builds_url=builds_url,
        stream_url=wanted.stream_url or _stream_url(builds_url, wanted.stream),
        time=int(time.time()),
    )


def builds_url_of(config: StreamConfig) -> str:
    """The folder of the stream's builds.json; `pipeline-bucket-missing` if the file names no bucket."""
    bucket = config.uploads.bucket
    if bucket is None:
        raise BootimgError(
            "pipeline-bucket-missing",
            f"{config.file} does not say where the builds of the stream {config.name} are kept",
            hint="set s3.bucket and s3.builds_key there, or name the folder with --builds-url s3://…",
            exit_code=ExitCode.USAGE,
        )
    parts = (bucket.name, bucket.builds_key.strip("/"), "builds")
    return f"s3://{'/'.join(each for each in parts if each)}"


def _stream_url(builds_url: str, stream: str) -> str:
    return f"s3://{parse_place(builds_url).bucket}/streams/{stream}.json"


def _registries(config: StreamConfig, found: ArchRequests) -> Iterator[str]:
    """The kinds that the stream has a repository and a build for."""
    repositories = config.uploads.repositories
    expected = {key for each in found.requests.values() for key in each.selection.expected}
    for name, kind in KINDS.items():
        if repositories.get(name) and kind.image_key in expected:
            yield name
    if repositories.get(DISKS):
        yield DISKS


def _clouds(config: StreamConfig, found: ArchRequests) -> Iterator[str]:
    """The platforms whose cloud has settings in the file, as the pipeline uploads to those alone."""
    if config.uploads.skip_clouds:
        return
    platforms = {each.name: each for request in found.requests.values() for each in request.platforms}
    for name, platform in platforms.items():
        if platform.uploader is not None and config.uploads.clouds.get(platform.uploader):
            yield name
