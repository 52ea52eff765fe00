"""A run whose pods are killed in every stage, and whose node is restarted, publishes the same as another."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.kubernetes.client import Json
from tests.cluster.layers import ARCHES, STREAM, VERSION
from tests.cluster.machine.containers import Usage
from tests.cluster.measured import Measured
from tests.cluster.publishing import Published
from tests.cluster.runs import Way, disturb

STEPS = {
    "plan": ("plan", Way.DELETED), "build": ("build", Way.KILLED), "verify": ("verify", Way.DELETED),
    "sign": ("fetch", Way.DELETED), "push": ("upload", Way.DELETED), "upload": ("upload", Way.KILLED),
    "release": ("fetch", Way.DELETED), "stream": ("fetch", Way.DELETED), "browse": ("fetch", Way.DELETED),
}  # fmt: skip
"""The step of each stage in which it ends before its time; deleted in their first where steps are short."""


@pytest.fixture(scope="module")
def killed(
    cluster: Cluster,
    layers: str,
    measured: Measured,
    usage: Usage,
    published: Published,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Published, dict[str, str]]:
    """What such a run has published, and the pods that were killed."""
    folder = tmp_path_factory.mktemp("killed")
    found = Published.of_team(cluster, "killed", "eu-west-1", layers, folder)
    run = found.start()
    pods = {}
    for stage, (step, way) in STEPS.items():
        pods[stage] = disturb(run, stage, step, way)
        if stage == "build":
            cluster.restart_node()
        if stage == "verify":
            cluster.restart_controller()
    run.wait()
    measured.add("killed in each stage", run, usage)
    found.fetch()
    return replace(found, run=run), pods


def test_every_stage_ran_again(killed: tuple[Published, dict[str, str]]) -> None:
    found, pods = killed
    assert found.run is not None
    uids, stages = found.run.uids(), found.run.stages()
    deleted = {stage for stage, (_, way) in STEPS.items() if way is Way.DELETED}
    assert {stage for stage in deleted if pods[stage] in uids} == set()
    tried_again = {
        stage for stage, each in stages.items() if any(run["status"].get("retriesStatus") for run in each)
    }
    assert tried_again == stages.keys() - deleted


def test_the_digests_are_the_same(killed: tuple[Published, dict[str, str]], published: Published) -> None:
    found, _ = killed
    assert found.digests() == published.digests()
    assert found.layer_digest() == published.layer_digest()
    assert found.results()["IMAGE_DIGEST"] == published.results()["IMAGE_DIGEST"]


def test_nothing_is_there_twice(killed: tuple[Published, dict[str, str]], published: Published) -> None:
    found, _ = killed
    assert found.seen["objects"].keys() == published.seen["objects"].keys()
    assert len(found.seen["images"]) == len(found.seen["snapshots"]) == 1
    index = found.json(f"streams/{STREAM}/builds/builds.json")
    assert [each["id"] for each in index["builds"]] == [VERSION]


def test_the_metadata_is_the_same(killed: tuple[Published, dict[str, str]], published: Published) -> None:
    found, _ = killed
    for name in (f"{STREAM}.json", f"streams/{STREAM}/builds/{VERSION}/release.json"):
        ours, theirs = (_without_own_names(each, each.json(name)) for each in (found, published))
        assert ours == theirs
    for arch in (each.value for each in ARCHES):
        assert found.meta(arch)["images"] == published.meta(arch)["images"]


def _without_own_names(team: Published, document: Json) -> Json:
    """Without what two runs or two teams cannot share: times, images, and the team's names."""
    text = json.dumps(_without_times_and_images(document))
    return dict(json.loads(text.replace(team.region, "REGION").replace(f"/{team.name}/", "/TEAM/")))


def _without_times_and_images(document: Any) -> Any:  # noqa: ANN401
    """Without what two runs cannot share: when they ran, and the ids of cloud images."""
    if isinstance(document, dict):
        left_out = {"last-modified", "regions", "image", "amis"}
        return {key: _without_times_and_images(each) for key, each in document.items() if key not in left_out}
    return [*map(_without_times_and_images, document)] if isinstance(document, list) else document
