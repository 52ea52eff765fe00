"""The shipped Pipeline on a real Kubernetes with the real Tekton: one run, of a tiny layer.

tests/cluster has the other tests of pipelines, and says what the cluster is.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster.cluster import running_cluster, why_not
from tests.cluster.layers import push_tiny_layer
from tests.cluster.programs import compiled
from tests.cluster.publishing import Published
from tests.cluster.team import make_team
from tests.cluster.tiny import config_of_streams, require_releases, stream_url

pytestmark = pytest.mark.matrix

TEAM, STREAM, VERSION = "short", "rhel-9.6", "9.6.20261101-0"


def test_a_run_publishes_its_stream(tmp_path: Path) -> None:
    if reason := why_not() or compiled.why_not_yet():
        pytest.skip(reason)
    with running_cluster(tmp_path / "cluster") as cluster:
        team = make_team(cluster, TEAM, tmp_path, config_of_streams(TEAM, [STREAM]))
        layer = push_tiny_layer(cluster.space, tmp_path, VERSION, STREAM)
        run = team.start(STREAM, layer=layer, stream_url=stream_url(TEAM, STREAM))
        run.wait()
        assert run.results()["build"] == VERSION
        assert {"plan", "build", "verify", "sign", "release", "stream"} == run.stages().keys()
        require_releases(Published(team, TEAM, "us-east-1", tmp_path), STREAM, [VERSION])
