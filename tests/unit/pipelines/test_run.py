"""The PipelineRun of a stream, and what a cluster has of the shipped objects."""

from __future__ import annotations

import copy
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from bootimg.cli.main import bootimg
from bootimg.errors import BootimgError, ExitCode
from bootimg.pipelines.compare import ObjectState, compare
from bootimg.pipelines.shipped import VERSION_LABEL, shipped_objects

CONFIG = """\
streams:
  rhel-9.6: {type: development}
  "4.19-9.6": {type: development, skip_disk_images: true}
additional_arches: [aarch64]
s3: {bucket: art, builds_key: "prod/streams/${STREAM}", acl: public-read}
default_artifacts: {all: [qemu, metal]}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    return path


def invoke(*words: object, stdin: str | None = None) -> Result:
    return CliRunner().invoke(bootimg, ["pipeline", *map(str, words)], input=stdin)


def render(config: Path, *words: object, stream: str = "rhel-9.6") -> dict[str, Any]:
    done = invoke("render", "--stream", stream, "--streams", config, "--image", "quay.io/x/bootimg:1", *words)
    assert done.exit_code == 0, (done.output, done.exception)
    found: dict[str, Any] = yaml.safe_load(done.stdout)
    return found


def failing(*words: object) -> str:
    done = invoke(*words)
    assert isinstance(done.exception, BootimgError), (done.output, done.exception)
    return done.exception.id


def params(run: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each["value"] for each in run["spec"]["params"]}


def test_a_run_has_the_streams_bucket_and_rights(config: Path) -> None:
    run = render(config)
    assert run["metadata"]["generateName"] == "bootimg-rhel-9-6-"
    assert params(run) == {
        "stream": "rhel-9.6", "image": "quay.io/x/bootimg:1", "s3-acl": "public-read",
        "builds-url": "s3://art/prod/streams/rhel-9.6/builds", "tls-verify": "true", "signatures": "false",
        "replicate": "false",
    }  # fmt: skip
    assert run["spec"]["workspaces"] == [{"name": "config", "configMap": {"name": "bootimg-config"}}]
    assert "taskRunSpecs" not in run["spec"]


def test_a_run_names_what_it_is_given(config: Path) -> None:
    run = render(
        config, "--arch-nodes", "--s3-secret", "s3", "--sign-secret", "keys", "--gpg-key", "AB",
        "--run-as", 1000, "--service-account", "builder", "--namespace", "coreos", "--builds-url", "s3://other/builds",
    )  # fmt: skip
    assert params(run)["builds-url"] == "s3://other/builds"
    assert (params(run)["signatures"], params(run)["gpg-key"]) == ("true", "AB")
    assert [each["name"] for each in run["spec"]["workspaces"]] == ["config", "s3", "sign"]
    (spec,) = run["spec"]["taskRunSpecs"]
    assert spec["podTemplate"]["nodeSelector"] == {"kubernetes.io/arch": "$(params.arch)"}
    template = run["spec"]["taskRunTemplate"]
    assert template["podTemplate"]["securityContext"]["runAsUser"] == 1000
    assert (template["serviceAccountName"], run["metadata"]["namespace"]) == ("builder", "coreos")


def test_the_comment_says_that_disk_images_are_skipped(config: Path) -> None:
    words = ("--stream", "4.19-9.6", "--streams", config, "--image", "x")
    assert "skips disk images" in invoke("render", *words).stdout
    assert json.loads(invoke("render", *words, "--json").stdout)["kind"] == "PipelineRun"


def test_what_cannot_run_is_refused(config: Path) -> None:
    words = ("render", "--stream", "rhel-9.6", "--streams", config, "--image", "x")
    assert failing(*words, "--arch-nodes", "--cache-claim", "c") == "pipeline-cache-shared"
    config.write_text(CONFIG.replace("s3:", "s4:"))
    assert failing(*words) == "pipeline-bucket-missing"
    assert failing("render", "--stream", "none", "--streams", config, "--image", "x") == "stream-unknown"


def changed(kind: str, change: Any) -> list[dict[str, Any]]:  # noqa: ANN401
    """The shipped objects, the first one of a kind changed."""
    objects = copy.deepcopy(shipped_objects())
    change(next(each for each in objects if each["kind"] == kind))
    return objects


def states(there: list[dict[str, Any]]) -> dict[str, tuple[ObjectState, tuple[str, ...]]]:
    found = compare(shipped_objects(), there)
    return {each.name: (each.state, each.differences) for each in found if each.state is not ObjectState.SAME}


def test_a_cluster_with_the_same_objects_is_good() -> None:
    assert states(shipped_objects()) == {}


def test_differences_are_found_and_named() -> None:
    def script(task: dict[str, Any]) -> None:
        task["spec"]["steps"][0]["script"] += "echo more\n"

    def step(task: dict[str, Any]) -> None:
        task["spec"]["steps"].append({"name": "more", "image": "x"})

    def rights(task: dict[str, Any]) -> None:
        task["spec"]["stepTemplate"]["securityContext"]["privileged"] = True

    def version(found: dict[str, Any]) -> None:
        found["metadata"]["labels"][VERSION_LABEL] = "0.0.9"
        found["spec"]["tasks"][0]["retries"] = 9

    name = next(each["metadata"]["name"] for each in shipped_objects() if each["kind"] == "Task")
    for change, path in (
        (script, "spec.steps[0].script"), (step, "spec.steps"),
        (rights, "spec.stepTemplate.securityContext.privileged"),
    ):  # fmt: skip
        assert states(changed("Task", change)) == {name: (ObjectState.DIFFERENT, (path,))}
    assert states(changed("Pipeline", version)) == {
        "bootimg": (ObjectState.VERSION, ("spec.tasks[0].retries",))
    }  # fmt: skip
    assert states(shipped_objects()[1:])[shipped_objects()[0]["metadata"]["name"]] == (
        ObjectState.MISSING,
        (),
    )


def test_check_reads_what_kubectl_printed(tmp_path: Path) -> None:
    good = json.dumps({"kind": "List", "items": shipped_objects()})
    assert invoke("check", "--objects", "-", stdin=good).exit_code == 0
    done = invoke("check", "--objects", "-", "--json", stdin=json.dumps({"items": []}))
    assert done.exit_code == ExitCode.FAILED
    document = json.loads(done.stdout)
    assert {each["state"] for each in document["objects"]} == {"missing"} and not document["good"]
    (tmp_path / "bad").write_text("no list")
    for words in (["--objects", tmp_path / "bad"], ["--objects", tmp_path / "none"]):
        assert failing("check", *words) == "pipeline-objects-unreadable"


@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not installed")
def test_kubectl_without_a_cluster_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real kubectl, pointed at a port where nothing listens."""
    cluster = {"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}
    context = {"name": "x", "context": {"cluster": "c", "user": ""}}
    settings = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [cluster],
        "contexts": [context],
        "current-context": "x",
    }
    (tmp_path / "kubeconfig").write_text(json.dumps(settings))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    assert failing("check") == "kubectl-failed"


def test_without_kubectl_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bootimg.process.search_path", lambda: os.devnull)
    assert failing("check") == "program-missing"
