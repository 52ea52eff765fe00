"""Ten runs at once on one node: five of one stream, which write the same files, and five of other streams."""

from __future__ import annotations

from pathlib import Path

from tests.cluster.cluster import Cluster
from tests.cluster.layers import push_tiny_layer
from tests.cluster.machine.containers import Usage
from tests.cluster.measured import Measured
from tests.cluster.publishing import Published
from tests.cluster.team import make_team
from tests.cluster.tiny import config_of_streams, require_releases, stream_url

TEAM = "together"
RUNS = [*(("rhel-9.6", f"9.6.2026110{day}-0") for day in range(1, 6)),
        *((f"rhel-9.{minor}", f"9.{minor}.20261110-0") for minor in range(5))]  # fmt: skip
"""The stream and the build of each run; the checks want the stream that the version asks for."""


def test_ten_runs_at_once_lose_nothing(
    cluster: Cluster, measured: Measured, usage: Usage, tmp_path: Path
) -> None:
    streams = [*dict.fromkeys(stream for stream, _ in RUNS)]
    team = make_team(cluster, TEAM, tmp_path, config_of_streams(TEAM, streams))
    layers = [push_tiny_layer(cluster.space, tmp_path, version, stream) for stream, version in RUNS]
    runs = [
        team.start(stream, layer=layer, stream_url=stream_url(TEAM, stream))
        for (stream, _), layer in zip(RUNS, layers, strict=True)
    ]
    for each in runs:
        each.wait()
        measured.add("ten runs at once", each, usage)
    assert [each.results()["build"] for each in runs] == [version for _, version in RUNS]
    found = Published(team, TEAM, "us-east-1", tmp_path)
    for stream in streams:
        require_releases(found, stream, sorted(version for name, version in RUNS if name == stream))
