"""The Tasks that are shipped: their scripts are calls that bootimg accepts, and their pods need no rights."""

from __future__ import annotations

import json
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import pytest

from bootimg.pipelines.results import LIMIT
from bootimg.pipelines.shipped import PIPELINE, shipped_objects, shipped_yaml, version_of
from tests.support.pipelines.shellcommands import Call, calls_of, known_variables, parse

OBJECTS = shipped_objects()
TASKS = {each["metadata"]["name"]: each for each in OBJECTS if each["kind"] == "Task"}
(PIPELINES,) = [each for each in OBJECTS if each["kind"] == "Pipeline"]
VALUES = {
    "arch": "arm64", "build": "9.6.20261101-0", "builds-url": "s3://art/prod/builds", "cloud": "aws",
    "image": "quay.io/example/bootimg:1", "layer": "docker://quay.io/example/os@sha256:00", "newest": "5",
    "published": "https://example.com/art", "registries": "oscontainer,kubevirt", "replicate": "true",
    "s3-acl": "public-read", "s3-endpoint-url": "http://127.0.0.1:9000", "signatures": "true",
    "site-url": "s3://art/site", "stream": "rhel-9.6", "stream-url": "s3://art/streams/rhel-9.6.json",
    "time": "1764288000", "tls-verify": "false", "gpg-key": "0123ABCD", "builds-page-url": "https://example.com",
}  # fmt: skip
# What others than the command line read.
FOREIGN = {"AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE", "SOURCE_DATE_EPOCH"}


def steps(task: dict[str, Any]) -> list[dict[str, Any]]:
    """The steps with what the template gives to them."""
    template = task["spec"]["stepTemplate"]
    return [
        {**template, **each, "env": [*template["env"], *each.get("env", [])]}
        for each in task["spec"]["steps"]
    ]


def substituted(text: str, values: dict[str, str]) -> str:
    return re.sub(r"\$\(params\.([a-z0-9-]+)\)", lambda found: values[found[1]], text)


def run(step: dict[str, Any], values: dict[str, str], folder: Path, *files: str) -> list[Call]:
    """The calls of a step, with the pod's folders below another one; `files` are below /run/bootimg."""
    for name in files:
        path = folder / "run/bootimg" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    for name in ("cache", "builds", "run/bootimg/config", "tekton/results"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    variables = {each["name"]: moved(substituted(each["value"], values), folder) for each in step["env"]}
    return calls_of(moved(step["script"], folder), variables, folder)


def moved(text: str, folder: Path) -> str:
    """The text with the pod's folders moved."""
    return re.sub(r"(?<![^\s\"'=])/(cache|builds|run/bootimg|tekton/results)\b", rf"{folder}/\1", text)


@pytest.mark.parametrize("empty", [False, True], ids=["values", "defaults"])
@pytest.mark.parametrize("name", TASKS)
def test_scripts_call_what_bootimg_accepts(name: str, empty: bool, tmp_path: Path) -> None:
    """With every parameter set, and with every parameter that has a default at it: most are empty."""
    task, called = TASKS[name]["spec"], list[str]()
    defaults = {each["name"]: each["default"] for each in task["params"] if "default" in each}
    values = {**VALUES, **(defaults if empty else {"gpg-key": ""})}
    common = {each["name"] for each in task["stepTemplate"]["env"]}
    for step in steps(TASKS[name]):
        calls = run(step, values, tmp_path / step["name"], "registry/.dockerconfigjson")
        known = set[str]().union(*(known_variables(parse(each)) for each in calls))
        own = {each["name"] for each in step["env"]} - common - FOREIGN
        # The step that replicates ends before its call, where it has nothing to do.
        assert not calls or not {each for each in own - known if f"${each}" not in step["script"]}
        called += [each.verb for each in calls]
    assert "pipeline results" in called


def test_a_wrong_option_is_found(tmp_path: Path) -> None:
    """The check is one: a script with an option that does not exist fails it."""
    (call,) = calls_of("bootimg builds push --hole --build x s3://art/b", {}, tmp_path)
    with pytest.raises(click.NoSuchOption):
        parse(call)


def test_signing_takes_the_keys_that_are_there(tmp_path: Path) -> None:
    sign = steps(TASKS["bootimg-sign"])[1]
    values = {**VALUES, "gpg-key": ""}
    calls = run(sign, values, tmp_path / "cosign", "sign/cosign.key", "sign/cosign.password")
    assert calls[0].words[:3] == ("sign", values["build"], "--cosign-key")
    assert {Path(each).name for each in calls[0].words[3::2]} >= {"cosign.key"}
    assert "--cosign-password-file" in calls[0].words
    (only,) = run(sign, values, tmp_path / "none")
    assert only.verb == "pipeline results"
    assert json.loads((tmp_path / "none/cache/sign.json").read_text()) == {"signatures": []}


@pytest.mark.parametrize("name", TASKS)
def test_declared_results_are_those_that_the_script_writes(name: str) -> None:
    spec = TASKS[name]["spec"]
    script = "".join(each["script"] for each in spec["steps"]).replace("\\\n", " ")
    (words,) = re.findall(r"bootimg pipeline results \S+ --into /tekton/results (.*)", script)
    written = [each.partition("=")[0] for each in words.split()]
    assert sorted(written) == sorted(each["name"] for each in spec["results"])


@pytest.mark.parametrize("name", TASKS)
def test_pods_need_no_rights(name: str) -> None:
    """What the restricted profile asks for, and a read-only root; scratch space is the pod's own."""
    spec = TASKS[name]["spec"]
    for step in steps(TASKS[name]):
        security = step["securityContext"]
        assert security == {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "runAsNonRoot": True,
            "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"},
        }  # fmt: skip
        assert (
            "memory" in step["computeResources"]["requests"]
            and "memory" in step["computeResources"]["limits"]
        )
        # A parameter in a script would be code.
        assert "$(" not in step["script"].replace("$((", "")
    for volume in spec["volumes"]:
        assert set(volume) - {"name"} in ({"emptyDir"}, {"secret"})


def test_credentials_reach_only_the_steps_that_use_them() -> None:
    """A step lists the workspaces that are mounted in it; the build's own step has no key of the bucket."""
    for task in TASKS.values():
        named = {each["name"] for each in task["spec"]["workspaces"]}
        listed = {each["name"] for step in task["spec"]["steps"] for each in step.get("workspaces", [])}
        assert named == listed
    build = next(each for each in TASKS["bootimg-build"]["spec"]["steps"] if each["name"] == "build")
    assert "s3" not in [each["name"] for each in build["workspaces"]]


@pytest.mark.parametrize("name", TASKS)
def test_a_steps_workspace_is_where_the_task_declares_it(name: str) -> None:
    """Kubernetes' schema of a Task needs the path in both places."""
    spec = TASKS[name]["spec"]
    declared = {each["name"]: each["mountPath"] for each in spec["workspaces"]}
    for step in spec["steps"]:
        for each in step.get("workspaces", []):
            assert each["mountPath"] == declared[each["name"]] == f"/run/bootimg/{each['name']}"


def test_every_task_of_the_pipeline_may_be_tried_again() -> None:
    for task in PIPELINES["spec"]["tasks"]:
        assert task["retries"] > 0 and "timeout" in task
        assert task["taskRef"]["name"] in TASKS


def test_objects_say_which_bootimg_they_are_of() -> None:
    assert {version_of(each) for each in OBJECTS} == {version("bootimg")}
    assert PIPELINES["metadata"]["name"] == PIPELINE
    assert shipped_yaml().count("apiVersion: tekton.dev/v1\n") == len(OBJECTS) == 10
    assert LIMIT < 4096
