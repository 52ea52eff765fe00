"""`bootimg plan --upload`: what would be sent, where, and what is there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bootimg.cache import Cache
from bootimg.cli.main import bootimg
from bootimg.errors import ExitCode
from bootimg.orchestrator.uploading import forecast as forecasts
from tests.integration.clouds.commands import HOME, run, upload
from tests.integration.clouds.processes import killed_at
from tests.support.clouds.cloudbuilds import BUILD, make_aws_build
from tests.support.clouds.faultproxy import Proxy
from tests.support.clouds.strictaws import StrictAws

CONFIG = (
    "streams: {rhel-9.6: {}}\nclouds: {aws: {primary_region: us-east-1, regions: [eu-west-1], other: x}}\n"
)


def planned(builds: Path, *words: object, code: int = ExitCode.OK) -> Any:  # noqa: ANN401
    (found,) = run("plan", builds, "--upload", *words, code=code)["uploads"]
    return found


def test_without_a_network_it_says_what_the_build_and_the_journal_say(
    aws: StrictAws, proxy: Proxy, tmp_path: Path
) -> None:
    path, _ = make_aws_build(tmp_path / "builds")
    (tmp_path / "config.yaml").write_text(CONFIG)
    words = ("--stream", "rhel-9.6", "--streams", tmp_path / "config.yaml")
    found = planned(tmp_path / "builds", *words)
    file = path / found["file"]
    assert (found["build"], found["platform"], found["key"]) == (BUILD, "aws", "amis")
    assert (found["file-size"], found["data"]) == (file.stat().st_size, None)
    assert found["settings"] == {"primary_region": "us-east-1", "regions": ["eu-west-1"]}
    assert (found["there"], found["parts-sent"], found["cloud"]) == ([], 0, None)
    assert proxy.requests == []
    killed_at(
        proxy, "PutSnapshotBlock", 5, "upload", tmp_path / "builds", "-p", "aws", "--region", HOME, "-j", "1"
    )
    assert planned(tmp_path / "builds")["parts-sent"] == 4
    upload(tmp_path / "builds")
    sent, files = len(proxy.requests), sorted(path.iterdir())
    assert planned(tmp_path / "builds", BUILD)["there"] == [HOME]
    assert planned(tmp_path / "builds", BUILD, "--arch", "all")["there"] == [HOME]
    assert (len(proxy.requests), sorted(path.iterdir())) == (sent, files)


def test_with_look_it_says_what_upload_would_call(aws: StrictAws, proxy: Proxy, tmp_path: Path) -> None:
    make_aws_build(tmp_path / "builds")
    words = ("--look", "--set", f"primary_region={HOME}")
    found = planned(tmp_path / "builds", *words)["cloud"]
    calls = {each["operation"]: each for each in found["calls"]}
    assert calls["ebs:PutSnapshotBlock"]["note"] == "7340032 bytes"
    assert found["places"][0]["state"] == "would be done"
    upload(tmp_path / "builds")
    found = planned(tmp_path / "builds", *words)["cloud"]
    assert (found["calls"], found["places"][0]["state"]) == ([], "was there")


def test_the_data_of_a_cached_disk_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, raw = make_aws_build(tmp_path / "builds")
    from bootimg.disk.extents import FileSource

    monkeypatch.setattr(forecasts, "find_origin", lambda cache, sha256: FileSource(raw))
    Cache(tmp_path / "cache").root.mkdir()
    with FileSource(raw) as source:
        data = sum(each.length for each in source.extents() if each.data)
    assert planned(tmp_path / "builds")["data"] == data > 0


def test_what_stands_in_the_way_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, _ = make_aws_build(tmp_path / "builds")
    monkeypatch.setattr("bootimg.cloud.registry.find_uploader", lambda name: None)
    monkeypatch.setattr(forecasts, "find_uploader", lambda name: None)
    found = planned(tmp_path / "builds", code=ExitCode.PARTIAL)
    assert found["problem"]["id"] == "uploader-missing"
    assert found["file-size"] > 0
    monkeypatch.undo()
    found = planned(tmp_path / "builds", "--account", "govcloud", code=ExitCode.PARTIAL)
    assert found["problem"]["id"] == "cloud-setting-missing"
    (path / found["file"]).unlink()
    assert planned(tmp_path / "builds", code=ExitCode.PARTIAL)["problem"]["id"] == "artifact-missing"
    assert run("plan", tmp_path / "builds", "--upload", "-p", "gcp")["uploads"] == []


def test_texts_for_people(tmp_path: Path) -> None:
    make_aws_build(tmp_path / "builds")
    argv = ["plan", "--upload", "-o", tmp_path / "builds", "--cache", tmp_path / "cache",
            "--set", f"primary_region={HOME}"]  # fmt: skip
    done = CliRunner().invoke(bootimg, list(map(str, argv)))
    assert done.exit_code == 0, done.output
    assert "to be sent" in done.stdout
    assert f"aws x86_64: to primary_region {HOME}" in done.stdout
    assert "the clouds were not asked" in done.stdout
    assert CliRunner().invoke(bootimg, ["plan", "x", "--look"]).exit_code == ExitCode.USAGE


def test_bump_and_lint_find_the_images(aws: StrictAws, proxy: Proxy, tmp_path: Path) -> None:
    """As `stream generate` does."""
    path, _ = make_aws_build(tmp_path / "builds")
    upload(tmp_path / "builds")
    builds = ["-o", str(tmp_path / "builds")]
    words = ["--name", "rhel-9.6", "--no-signatures", "--published", "https://example.com"]
    done = CliRunner().invoke(bootimg, ["stream", "generate", *builds, *words])
    found = json.loads(done.stdout)
    found["architectures"]["x86_64"]["images"]["aws"]["regions"][HOME]["image"] = "ami-0"
    target = tmp_path / "s.json"
    target.write_text(json.dumps(found))
    assert "ami-0" in CliRunner().invoke(bootimg, ["stream", "lint", str(target), *builds]).output
    done = CliRunner().invoke(bootimg, ["stream", "bump", "--target", str(target), BUILD, *builds, *words])
    assert done.exit_code == 0, (done.output, done.exception)
    regions = json.loads(target.read_text())["architectures"]["x86_64"]["images"]["aws"]["regions"]
    entry = json.loads((path / "meta.json").read_text())["amis"][0]
    assert regions == {HOME: {"release": BUILD, "image": entry["hvm"]}}
    assert CliRunner().invoke(bootimg, ["stream", "lint", str(target), *builds]).exit_code == 0
