"""Streams of tiny layers: their config.yaml, and what S3 must have when their runs are over."""

from __future__ import annotations

from collections.abc import Iterable

import yaml

from tests.cluster.publishing import Published
from tests.cluster.services.servers import BUCKET


def config_of_streams(team: str, streams: Iterable[str]) -> str:
    """A team's config.yaml: a bucket's folder, one architecture and one image."""
    return yaml.safe_dump({
        "s3": {"bucket": BUCKET, "builds_key": f"{team}/streams/${{STREAM}}"},
        "additional_arches": ["aarch64"],
        "default_artifacts": {"all": ["qemu"]},
        "streams": {stream: {"type": "production"} for stream in streams},
    })  # fmt: skip


def stream_url(team: str, stream: str) -> str:
    """Where the stream's metadata is."""
    return f"s3://{BUCKET}/{team}/{stream}.json"


def require_releases(found: Published, stream: str, versions: list[str]) -> None:
    """Fail unless the stream has these builds and releases, and its file names the newest."""
    folder = f"streams/{stream}"
    index = found.json(f"{folder}/builds/builds.json")["builds"]
    assert sorted(each["id"] for each in index) == versions
    assert {tuple(each["arches"]) for each in index} == {("aarch64",)}
    releases = found.json(f"{folder}/releases.json")["releases"]
    assert sorted(each["version"] for each in releases) == versions
    (disk,) = found.json(f"{stream}.json")["architectures"]["aarch64"]["artifacts"].values()
    assert disk["release"] == versions[-1]
