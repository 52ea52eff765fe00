"""The order of the Jenkinsfile's stages, by jenkins-pipeline-unit."""

from __future__ import annotations

from importlib.resources import as_file, files
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from bootimg.pipelines.shipped import PACKAGE
from tests.support.pipelines import jenkinspipeline
from tests.support.pipelines.jenkinspipeline import Done

pytestmark = pytest.mark.skipif(jenkinspipeline.why_not() is not None, reason=str(jenkinspipeline.why_not()))
PLAN = {
    "build": "9.6.20261101-0", "layer": "docker://example.com/os@sha256:00", "arches": ["amd64", "arm64"],
    "missing": ["arm64"], "registries": "oscontainer", "clouds": ["aws", "gcp"], "make": True, "push": True,
    "upload": True, "publish": True, "builds-url": "s3://art/builds", "stream-url": "s3://art/s", "time": 1,
}  # fmt: skip
SHORT = {**PLAN, "upload": False, "publish": False, "clouds": []}


def run(folder: Path, plan: dict[str, Any], *parameters: str, failures: int = 0) -> list[Done]:
    words = ("STREAM=rhel-9.6", "LAYER=", "CONFIG_URL=https://example.com", "PUBLISHED=", "S3_ENDPOINT_URL=",
             "ARCH_AGENTS=", *parameters)  # fmt: skip
    with as_file(files(PACKAGE).joinpath("jenkins/Jenkinsfile")) as path:
        return jenkinspipeline.run(path, plan, folder, *words, failures=failures)


def commands(done: list[Done]) -> list[str]:
    """The verbs, in their order."""
    words = (each.text.rpartition("; ")[2].split()[1:3] for each in done if each.kind == "sh")
    groups = ("builds", "stream", "pipeline")
    return [" ".join(each if each[0] in groups else each[:1]) for each in words]


def test_the_stages_come_in_order(tmp_path: Path) -> None:
    done = run(tmp_path, PLAN, "SITE_URL=s3://art/site")
    assert [each.text for each in done if each.kind == "stage"] == [
        "Plan", "Build", "Verify", "Sign", "Push and upload", "Publish"
    ]  # fmt: skip
    moved = ["builds fetch", "upload", "builds push"]
    assert commands(done) == [
        "pipeline plan", "builds fetch", "build", "builds push", *["builds fetch", "verify"] * 2,
        "builds fetch", "sign", "builds push", *moved * 3, "builds fetch", "stream generate", "builds push",
        "stream index", "stream bump", "builds fetch", "browse",
    ]  # fmt: skip
    assert [each.text for each in done if each.kind == "branch"] == ["arm64", "amd64", "arm64", "aws", "gcp"]
    assert [each.text for each in done if each.kind == "lock"] == [
        "bootimg-rhel-9.6-arm64", "bootimg-publish-rhel-9.6"
    ]  # fmt: skip


def test_the_short_way_has_no_metadata(tmp_path: Path) -> None:
    found = commands(run(tmp_path, SHORT, "SITE_URL="))
    assert found.count("upload") == 1
    assert not {"stream generate", "stream bump", "browse"} & set(found)


def test_a_stage_is_tried_again_from_an_empty_folder(tmp_path: Path) -> None:
    done = run(tmp_path, SHORT, "SITE_URL=", failures=2)
    kinds = [each.kind for each in done]
    assert kinds.count("again") == 2
    built = [number for number, each in enumerate(done) if each.text.startswith("bootimg build ")]
    assert len(built) == 3
    for first, second in pairwise(built):
        between = done[first:second]
        assert "deleteDir" in [each.kind for each in between]
        assert any("builds fetch --started" in each.text for each in between)


def test_keys_are_only_where_they_are_used(tmp_path: Path) -> None:
    """The command that reads the layer runs without the bucket's credentials."""
    done = run(tmp_path, SHORT, "SITE_URL=")
    build = next(number for number, each in enumerate(done) if each.text.startswith("bootimg build "))
    before = [each for each in done[:build] if each.kind in ("credential", "sh")]
    assert before[-1].text == "REGISTRY_AUTH_FILE=bootimg-registry"
    assert before[-2].kind == "sh"
