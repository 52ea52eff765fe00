"""Tekton's own code accepts every object that is shipped or rendered, and finds mistakes that are planted."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from bootimg.pipelines.compare import ObjectState, compare
from bootimg.pipelines.run import RunOptions, pipeline_run
from bootimg.pipelines.shipped import shipped_objects
from bootimg.streams.pipeline.config import read_stream_config, read_streams_file
from tests.support.pipelines import tektonobjects

Json = dict[str, Any]
pytestmark = pytest.mark.skipif(tektonobjects.why_not() is not None, reason=str(tektonobjects.why_not()))
CONFIG = """\
streams: {rhel-9.6: {type: development}}
s3: {bucket: art, builds_key: "prod/streams/${STREAM}"}
default_artifacts: {all: [qemu]}
"""
PLAIN = RunOptions(image="quay.io/example/bootimg:1")
FULL = RunOptions(
    image="quay.io/example/bootimg:1", namespace="coreos", layer="quay.io/example/os:1", gpg_key="AB",
    site_url="s3://art/site", stream_url="s3://art/s.json", published="https://example.com",
    endpoint="http://10.0.0.1:9000", replicate=True, arch_nodes=True,
    s3_secret="s3", registry_secret="registry", sign_secret="sign",
    service_account="builder", run_as=1000680000, timeout="24h",
)  # fmt: skip
CACHED = RunOptions(image="quay.io/example/bootimg:1", cache_claim="cache")


def rendered(folder: Path, options: RunOptions) -> Json:
    file = folder / "config.yaml"
    file.write_text(CONFIG)
    return pipeline_run(read_stream_config(read_streams_file(file), "rhel-9.6"), options)


def faults(folder: Path, objects: list[Json]) -> list[str]:
    file = folder / "objects.yaml"
    file.write_text(yaml.safe_dump_all(objects))
    return tektonobjects.check([file]).faults


@pytest.mark.parametrize("options", [PLAIN, FULL, CACHED], ids=["plain", "full", "cached"])
def test_tekton_accepts_what_is_shipped_and_rendered(tmp_path: Path, options: RunOptions) -> None:
    assert faults(tmp_path, [*shipped_objects(), rendered(tmp_path, options)]) == []


@pytest.mark.parametrize("options", [PLAIN, FULL, CACHED], ids=["plain", "full", "cached"])
def test_the_api_server_accepts_what_is_shipped_and_rendered(tmp_path: Path, options: RunOptions) -> None:
    """By the schemas of Tekton's custom resources, which ask for more than Tekton's own code."""
    schemas = tektonobjects.schemas()
    for each in [*shipped_objects(), rendered(tmp_path, options)]:
        errors = jsonschema.Draft202012Validator(schemas[each["kind"]]).iter_errors(each)
        assert [(error.json_path, error.message) for error in errors] == []


def test_a_cluster_that_fills_in_defaults_still_has_the_same(tmp_path: Path) -> None:
    """What the webhook makes of the objects differs from the files, and is no difference to `check`."""
    file = tmp_path / "objects.yaml"
    file.write_text(yaml.safe_dump_all(shipped_objects()))
    items = tektonobjects.check([file]).items
    assert items != shipped_objects()
    assert {each.state for each in compare(shipped_objects(), items)} == {ObjectState.SAME}


def task(objects: list[Json], name: str) -> Json:
    """The spec of a Task, of the Pipeline (`pipeline`), or of the run (`run`)."""
    names = {"pipeline": "bootimg", "run": None}
    found = next(
        each for each in objects if each["metadata"].get("name") == names.get(name, f"bootimg-{name}")
    )
    spec: Json = found["spec"]
    return spec


def stage(objects: list[Json], name: str) -> Json:
    """A task of the Pipeline."""
    found: Json = next(each for each in task(objects, "pipeline")["tasks"] if each["name"] == name)
    return found


def without(items: list[Json], name: str) -> list[Json]:
    return [each for each in items if each["name"] != name]


def set_in(items: list[Json], name: str, **values: object) -> None:
    next(each for each in items if each["name"] == name).update(values)


def drop(found: Json, key: str, name: str) -> None:
    found[key] = without(found[key], name)


MISTAKES: dict[str, Callable[[list[Json]], object]] = {
    "a parameter that nobody gives": lambda o: drop(task(o, "run"), "params", "stream"),
    "a parameter that the Pipeline does not give": lambda o: drop(stage(o, "build"), "params", "layer"),
    "a parameter that the Task does not have": lambda o: drop(
        task(o, "verify"), "params", "s3-endpoint-url"),
    "a parameter of another type": lambda o: set_in(task(o, "run")["params"], "stream", value=["a"]),
    "an undeclared parameter in a Task": lambda o: task(o, "sign")["stepTemplate"]["env"].append(
        {"name": "X", "value": "$(params.misspelt)"}),
    "an undeclared parameter in the Pipeline": lambda o: set_in(
        stage(o, "build")["params"], "image", value="$(params.imge)"),
    "a workspace that nobody binds": lambda o: drop(task(o, "run"), "workspaces", "config"),
    "a workspace that the Pipeline does not hand on": lambda o: drop(
        stage(o, "plan"), "workspaces", "config"),
    "a workspace that the Task does not have": lambda o: stage(o, "verify")["workspaces"].append(
        {"name": "sign", "workspace": "sign"}),
    "a workspace that the Pipeline does not have": lambda o: set_in(
        stage(o, "verify")["workspaces"], "s3", workspace="s4"),
    "a step's workspace that the Task does not declare": lambda o: task(o, "sign")["steps"][1].update(
        workspaces=[{"name": "keys"}]),
    "a result that the Task does not have": lambda o: drop(task(o, "plan"), "results", "layer"),
    "a result in a when expression": lambda o: stage(o, "upload")["when"][0].update(
        input="$(tasks.plan.results.uplaod)"),
    "a result of the Pipeline": lambda o: task(o, "pipeline")["results"][0].update(
        value="$(tasks.plan.results.biuld)"),
    "a result of a task that does not exist": lambda o: set_in(
        stage(o, "sign")["params"], "build", value="$(tasks.plna.results.build)"),
    "a text where the matrix needs an array": lambda o: stage(o, "verify")["matrix"]["params"][0].update(
        value="$(tasks.plan.results.build)"),
    "an array result that is a text": lambda o: set_in(
        task(o, "plan")["results"], "arches", type="string"),
    "an operator": lambda o: stage(o, "build")["when"][0].update(operator="equals"),
    "a circle": lambda o: stage(o, "plan").update(runAfter=["sign"]),
    "a task after nobody": lambda o: stage(o, "sign").update(runAfter=["verified"]),
    "two tasks of one name": lambda o: stage(o, "browse").update(name="stream"),
    "two parameters of one name": lambda o: task(o, "sign")["params"].append({"name": "build"}),
    "two steps of one name": lambda o: task(o, "verify")["steps"][1].update(name="fetch"),
    "a Task that does not exist": lambda o: stage(o, "sign").update(taskRef={"name": "bootimg-sing"}),
    "a Pipeline that does not exist": lambda o: task(o, "run").update(pipelineRef={"name": "botimg"}),
    "a misspelt key of a step": lambda o: task(o, "build")["steps"][1].update(computeResource={}),
    "a misspelt key of a task": lambda o: stage(o, "build").update(retrys=3),
    "a misspelt key of a run": lambda o: task(o, "run").update(timeout={"pipeline": "1h"}),
    "a script with a command": lambda o: task(o, "plan")["steps"][0].update(command=["sh"]),
    "a step without an image": lambda o: task(o, "plan")["stepTemplate"].pop("image"),
    "a volume that is not there": lambda o: task(o, "browse")["volumes"].pop(0),
    "a timeout that is none": lambda o: stage(o, "build").update(timeout="4 hours"),
    "a task that takes longer than the whole": lambda o: task(o, "run").update(
        timeouts={"pipeline": "1h", "tasks": "2h"}),
    "pods of a task that does not exist": lambda o: task(o, "run").update(
        taskRunSpecs=[{"pipelineTaskName": "biuld"}]),
    "a name with a dot": lambda o: stage(o, "build").update(name="build.arch"),
    "a quantity": lambda o: task(o, "build")["steps"][1]["computeResources"]["requests"].update(
        memory="2 GB"),
}  # fmt: skip
UNSEEN = {
    # Kubernetes refuses the pod: Tekton does not look at mounts.
    "a volume that is not there",
    # A step may take its image from nowhere until the pod is made.
    "a step without an image",
    # The type of a whole result counts for the controller only when the result is there.
    "a text where the matrix needs an array",
    "an array result that is a text",
}


def planted(folder: Path, mistake: str) -> list[str]:
    objects = copy.deepcopy([*shipped_objects(), rendered(folder, FULL)])
    MISTAKES[mistake](objects)
    assert objects != [*shipped_objects(), rendered(folder, FULL)]
    return faults(folder, objects)


@pytest.mark.parametrize("mistake", sorted(MISTAKES.keys() - UNSEEN))
def test_a_planted_mistake_is_found(tmp_path: Path, mistake: str) -> None:
    assert planted(tmp_path, mistake)
