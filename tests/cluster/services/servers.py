"""Starting the servers in the cluster's namespaces."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.cluster.machine.space import ADDRESS, Space
from tests.cluster.machine.waiting import wait_for

ROOT = Path(__file__).parents[3]
BUCKET = "art"
S3 = f"http://{ADDRESS}:9000"
REGISTRY = f"{ADDRESS}:5000"
CREDENTIALS = {"aws_access_key_id": "id", "aws_secret_access_key": "secret"}


def start_clouds(space: Space, *buckets: str) -> None:
    """S3 and AWS; returns when the buckets are there."""
    host, port = S3.removeprefix("http://").split(":")
    clouds = space.start(
        "clouds", sys.executable, "-m", "tests.cluster.services.clouds", host, port, BUCKET, *buckets,
        PYTHONPATH=str(ROOT),
    )  # fmt: skip
    wait_for("S3", lambda: "ready\n" in clouds.log.read_text(), space)


def start_registry(space: Space, debian: Path) -> None:
    """A registry without TLS and without a login."""
    file = space.folder / "registry.yml"
    file.write_text(
        f"version: 0.1\nlog: {{level: info}}\nhttp: {{addr: '{REGISTRY}'}}\n"
        f"storage: {{filesystem: {{rootdirectory: {space.folder}/registry}}}}\n"
    )
    registry = space.start("registry", debian / "usr/bin/docker-registry", "serve", file)
    wait_for("the registry", lambda: "listening on" in registry.log.read_text(), space)
