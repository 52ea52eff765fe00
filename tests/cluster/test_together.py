"""Ten runs at once on one node: five of one stream, which write the same files, and five of other streams."""

from __future__ import annotations

from pathlib import Path

import yaml

from tests.cluster.cluster import Cluster
from tests.cluster.layers import push_tiny_layer
from tests.cluster.machine.containers import Memory
from tests.cluster.measured import Measured
from tests.cluster.publishing import Published
from tests.cluster.services.servers import BUCKET
from tests.cluster.team import make_team

TEAM = "together"
RUNS = [*(("shared", f"9.6.2026110{day}-0") for day in range(1, 6)),
        *((f"own-{day}", f"9.6.2026111{day}-0") for day in range(5))]  # fmt: skip
"""The stream and the build of each run."""
CONFIG = {
    "s3": {"bucket": BUCKET, "builds_key": f"{TEAM}/streams/${{STREAM}}"},
    "additional_arches": ["aarch64"],
    "default_artifacts": {"all": ["qemu"]},
    "streams": {stream: {"type": "production"} for stream, _ in RUNS},
}


def test_ten_runs_at_once_lose_nothing(
    cluster: Cluster, measured: Measured, memory: Memory, tmp_path: Path
) -> None:
    team = make_team(cluster, TEAM, tmp_path, yaml.safe_dump(CONFIG))
    layers = [push_tiny_layer(cluster.space, tmp_path, version, stream) for stream, version in RUNS]
    runs = [
        team.start(stream, layer=layer, stream_url=f"s3://{BUCKET}/{TEAM}/{stream}.json")
        for (stream, _), layer in zip(RUNS, layers, strict=True)
    ]
    for each in runs:
        each.wait()
        measured.add("ten runs at once", each, memory)
    assert [each.results()["build"] for each in runs] == [version for _, version in RUNS]
    found = Published(team, TEAM, "us-east-1", tmp_path)
    for stream in dict.fromkeys(stream for stream, _ in RUNS):
        versions = sorted(version for name, version in RUNS if name == stream)
        folder = f"streams/{stream}"
        index = found.json(f"{folder}/builds/builds.json")["builds"]
        assert sorted(each["id"] for each in index) == versions
        assert {tuple(each["arches"]) for each in index} == {("aarch64",)}
        releases = found.json(f"{folder}/releases.json")["releases"]
        assert sorted(each["version"] for each in releases) == versions
        (disk,) = found.json(f"{stream}.json")["architectures"]["aarch64"]["artifacts"].values()
        assert disk["release"] == versions[-1]
