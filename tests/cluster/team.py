"""A team's namespace: bootimg's Tasks and Pipeline, config.yaml and secrets, and its runs."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bootimg.pipelines.run import RunOptions, pipeline_run
from bootimg.pipelines.shipped import shipped_objects
from bootimg.streams.pipeline.config import read_stream_config, read_streams_file
from tests.cluster.cluster import IMAGE, Cluster
from tests.cluster.kubernetes.client import Json, Kubectl
from tests.cluster.runs import Run
from tests.cluster.services.servers import S3

USER = 1000680000
"""A uid as OpenShift gives them: of a range of the namespace's own, and in no passwd file."""
KEYS = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}
_CREDENTIALS = "[default]\naws_access_key_id = id\naws_secret_access_key = secret\n"
_REGION = "[default]\nregion = us-east-1\n"
_LARGE = {"build": "build", "verify": "verify", "push": "upload", "upload": "upload", "browse": "browse"}
"""The step of each stage that asks for more processors than a small node has."""


@dataclass(frozen=True)
class Team:
    """A namespace that runs the pipeline."""

    cluster: Cluster
    kubectl: Kubectl
    streams: Path

    def start(self, stream: str, **options: Any) -> Run:  # noqa: ANN401
        """Start a run of a stream, as `bootimg pipeline render` prints it with these RunOptions."""
        config = read_stream_config(read_streams_file(self.streams), stream)
        own = {"image": IMAGE, "endpoint": S3, "tls_verify": False, "s3_secret": "s3", "run_as": USER}
        run = pipeline_run(config, RunOptions(**{**own, **options}))
        run["spec"]["taskRunSpecs"] = [*run["spec"].get("taskRunSpecs", []), *_small_requests()]
        return Run.start(self.kubectl, run)

    def bootimg(self, *words: object, folder: Path, check: bool = True) -> Json:
        """What bootimg says as JSON, on this machine and with S3 of the cluster."""
        env = {**KEYS, "BOOTIMG_S3_ENDPOINT_URL": S3, "BOOTIMG_BUILDS": str(folder / "builds"),
               "BOOTIMG_CACHE": str(folder / "cache")}  # fmt: skip
        program = Path(sys.prefix) / "bin/bootimg"
        argv = map(str, (program, *words, "--json"))
        done = self.cluster.space.run(*argv, check=check, input=b"", **env)
        return dict(json.loads(done.stdout))


def make_team(cluster: Cluster, name: str, folder: Path, config: str) -> Team:
    """A new namespace with all that the pipeline needs; `folder` keeps its config.yaml."""
    streams = folder / "config.yaml"
    streams.write_text(config)
    cloud = {**KEYS, "AWS_ENDPOINT_URL": S3}
    kubectl = cluster.make_namespace(
        name,
        _named("ConfigMap", "bootimg-config", data={"config.yaml": config}),
        _named("Secret", "s3", stringData={"credentials": _CREDENTIALS, "config": _REGION}),
        _named("Secret", "bootimg-cloud-aws", stringData=cloud),
        *shipped_objects(),
    )  # fmt: skip
    return Team(cluster, kubectl, streams)


def _named(kind: str, name: str, **content: object) -> Json:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, **content}


def _small_requests() -> list[Json]:
    """Requests with which several pods fit on a small node; limits stay those of the Tasks."""
    requests = {"cpu": "100m", "memory": "128Mi"}
    return [
        {"pipelineTaskName": stage, "stepSpecs": [{"name": step, "computeResources": {"requests": requests}}]}
        for stage, step in _LARGE.items()
    ]
