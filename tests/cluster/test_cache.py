"""What a volume for the cache saves: the same build without one, with an empty one, and with a filled one."""

from __future__ import annotations

from pathlib import Path

from tests.cluster.cluster import IMAGE, Cluster
from tests.cluster.kubernetes.client import Json, condition
from tests.cluster.layers import STREAM, VERSION
from tests.cluster.measured import Measured, seconds_between
from tests.cluster.publishing import Published
from tests.cluster.services.servers import BUCKET, S3
from tests.cluster.team import USER
from tests.cluster.test_pod import ended

CLAIM = "cache"
_SIZE = "8Gi"


def test_a_filled_cache_makes_the_same_and_is_faster(
    cluster: Cluster, layers: str, measured: Measured, tmp_path: Path
) -> None:
    found = Published.of_team(cluster, "cached", "eu-north-1", layers, tmp_path)
    # Volumes of a folder of the node do not follow fsGroup.
    (tmp_path / "volume").mkdir(mode=0o777)
    (tmp_path / "volume").chmod(0o777)
    found.team.kubectl.apply(*_volume(tmp_path / "volume"))
    seconds = {name: _build(found, layers, name, claim) for name, claim in CASES.items()}
    for name, each in seconds.items():
        measured.notes.append(f"build of aarch64, {name.replace('-', ' ')}: {each:.0f} s")
    assert seconds["filled-cache"] < seconds["no-cache"]
    first, *others = (found.json(f"{name}/builds/{VERSION}/aarch64/meta.json")["images"] for name in CASES)
    assert {"ostree", "qemu", "aws"} <= first.keys()
    assert others == [first, first]


CASES = {"no-cache": False, "empty-cache": True, "filled-cache": True}
"""The builds in their order, and whether each has the volume."""


def _build(found: Published, layer: str, name: str, cached: bool) -> float:
    """Seconds that the step `build` of a build took."""
    params = {
        "image": IMAGE, "stream": STREAM, "build": VERSION, "arch": "arm64", "layer": layer,
        "builds-url": f"s3://{BUCKET}/cached/{name}/builds", "s3-endpoint-url": S3, "tls-verify": "false",
    }  # fmt: skip
    claim = [{"name": "cache", "persistentVolumeClaim": {"claimName": CLAIM}}] if cached else []
    kubectl = found.team.kubectl
    kubectl.apply({
        "apiVersion": "tekton.dev/v1", "kind": "TaskRun", "metadata": {"name": name},
        "spec": {
            "taskRef": {"name": "bootimg-build"},
            "params": [{"name": key, "value": value} for key, value in params.items()],
            "workspaces": [
                {"name": "config", "configMap": {"name": "bootimg-config"}},
                {"name": "s3", "secret": {"secretName": "s3"}},
                *claim,
            ],
            "podTemplate": {"securityContext": {"runAsUser": USER, "runAsGroup": 0, "fsGroup": USER}},
            "stepSpecs": [{"name": "build", "computeResources": {"requests": {"cpu": "100m"}}}],
        },
    })  # fmt: skip
    done = ended(kubectl, name)
    assert condition(done, "Succeeded")["status"] == "True", done["status"]
    (step,) = (each["terminated"] for each in done["status"]["steps"] if each["name"] == "build")
    return seconds_between(step["startedAt"], step["finishedAt"])


def _volume(folder: Path) -> list[Json]:
    common = {"storageClassName": "", "accessModes": ["ReadWriteOnce"]}
    size = {"storage": _SIZE}
    kinds: dict[str, Json] = {
        "PersistentVolume": {"capacity": size, "hostPath": {"path": str(folder)}},
        "PersistentVolumeClaim": {"volumeName": CLAIM, "resources": {"requests": size}},
    }
    return [
        {"apiVersion": "v1", "kind": kind, "metadata": {"name": CLAIM}, "spec": {**common, **spec}}
        for kind, spec in kinds.items()
    ]
