"""One command makes the architectures of an index; one that fails or is interrupted leaves the others."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bootimg import process
from bootimg.errors import ExitCode
from tests.integration.builds.test_resume import running
from tests.integration.conftest import Workspace
from tests.support.layers import oci
from tests.support.layers.smallindex import small_index
from tests.support.registry import serving_registry
from tests.unit.disk.test_native_base import require_native

VERSION = oci.LABELS["org.opencontainers.image.version"]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require_native()
    return small_index(tmp_path_factory.mktemp("index"))


@pytest.fixture(scope="module")
def made(index: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace whose cache has the base disks of both architectures."""
    root = tmp_path_factory.mktemp("arches")
    workspace = Workspace(root / "cache", root / "builds")
    build(workspace, index)
    return workspace


@pytest.fixture
def workspace(made: Workspace, tmp_path: Path) -> Workspace:
    """The same cache, and no builds yet."""
    subprocess.run(["cp", "-al", made.cache, tmp_path / "cache"], check=True)
    (tmp_path / "tmp").mkdir()
    return Workspace(tmp_path / "cache", tmp_path / "builds")


def build(
    workspace: Workspace, layer: Path | str, *words: str, arch: str = "all", code: int = 0
) -> tuple[Any, str]:
    """What `build --json` says, and what it says to people."""
    command = ("build", layer, "--arch", arch, "-p", "qemu,metal", "--json", *words)
    done = workspace.bootimg(*command, check=False)
    assert done.returncode == code, done.stderr.decode()
    return json.loads(done.stdout) if done.stdout else None, done.stderr.decode()


def entries(document: Any) -> dict[str, Any]:  # noqa: ANN401
    return {each["arch"]: each for each in document["arches"]}


def listed(workspace: Workspace) -> dict[str, list[str]]:
    index = json.loads((workspace.builds / "builds.json").read_bytes())
    return {each["id"]: each["arches"] for each in index["builds"]}


def test_all_architectures_are_one_build(workspace: Workspace, index: Path) -> None:
    document, said = build(workspace, index)
    assert listed(workspace) == {VERSION: ["x86_64", "aarch64"]}
    assert (workspace.builds / "latest").readlink() == Path(VERSION)
    for arch, entry in entries(document).items():
        folder = workspace.builds / VERSION / arch
        meta = json.loads((folder / "meta.json").read_bytes())
        assert (meta["buildid"], meta["coreos-assembler.basearch"]) == (VERSION, arch)
        assert (entry["outcome"]["build"], entry["outcome"]["path"]) == (VERSION, str(folder))
        for image in (folder / meta["images"][key]["path"] for key in ("qemu", "metal")):
            assert f".{arch}." in image.name
            assert image.stat().st_size
        assert f"{arch:<8}qemu" in said


def test_the_same_command_makes_nothing_again(made: Workspace, index: Path) -> None:
    document, _ = build(made, index, arch="aarch64,x86_64")
    assert [each["arch"] for each in document["arches"]] == ["x86_64", "aarch64"]
    made_now = [each for entry in entries(document).values() for each in entry["outcome"]["artifacts"]]
    assert len(made_now) == 6
    assert all(each["cached"] for each in made_now)


def test_more_artifacts_of_all_architectures_of_a_build(made: Workspace) -> None:
    words = ("--from", "latest", "--arch", "all", "-p", "vmware,openstack", "--json")
    done = made.bootimg("build", *words)
    found = entries(json.loads(done.stdout))
    keys = {arch: [each["key"] for each in entry["outcome"]["artifacts"]] for arch, entry in found.items()}
    assert keys["x86_64"][1:] == ["vmware", "openstack"]
    assert keys["aarch64"][1:] == ["openstack"]
    assert b"vmware is left out: it exists for x86_64" in done.stderr


def test_the_layers_may_be_in_a_registry(made: Workspace, index: Path, tmp_path: Path) -> None:
    process.require("skopeo", packages="skopeo")
    with serving_registry(tmp_path) as address:
        name = f"{address}/example/os:small"
        words = ["copy", "--all", "--quiet", "--insecure-policy", "--dest-tls-verify=false"]
        process.run(["skopeo", *words, f"oci-archive:{index}", f"docker://{name}"])
        document, _ = build(made, f"docker://{name}", "--tls-verify", "false", "--until", "layers")
        done = made.bootimg(
            "build", f"docker://{name}", "--arch", "aarch64,s390x", "--tls-verify", "false", check=False
        )
    assert {arch: each["outcome"]["stopped-after"] for arch, each in entries(document).items()} == {
        "x86_64": "layers",
        "aarch64": "layers",
    }
    assert done.returncode == ExitCode.USAGE
    assert b"it is for x86_64 (amd64), aarch64 (arm64)" in done.stderr


def test_one_that_fails_leaves_the_other(workspace: Workspace, tmp_path: Path) -> None:
    layer = small_index(tmp_path / "broken", bootable=False)
    document, said = build(workspace, layer, arch="x86_64,aarch64", code=ExitCode.PARTIAL)
    found = entries(document)
    assert (found["aarch64"]["outcome"], found["aarch64"]["error"]["id"]) == (None, "bootloader-missing")
    assert found["x86_64"]["error"] is None
    assert listed(workspace) == {VERSION: ["x86_64"]}
    assert "aarch64: warning: failed: bootloader-missing: " in said
    workspace.bootimg("inspect", VERSION, "--arch", "x86_64")


@pytest.fixture
def interrupted(workspace: Workspace, index: Path) -> Iterator[Workspace]:
    """^C while the second architecture writes its disk."""
    with running(workspace, index, "--arch", "all") as run:
        for event in run.events():
            if (event["event"], event.get("arch"), event.get("step")) == ("step-started", "aarch64", "qemu"):
                break
        assert run.stop(signal.SIGINT) == ExitCode.INTERRUPTED
    yield workspace


def test_after_an_interruption_the_first_is_complete_and_the_command_continues(
    interrupted: Workspace, index: Path
) -> None:
    assert listed(interrupted) == {VERSION: ["x86_64"]}
    done = interrupted.bootimg("build", index, "--arch", "all", "-p", "qemu", "--json")
    found = entries(json.loads(done.stdout))
    kept = {arch: [each["cached"] for each in entry["outcome"]["artifacts"]] for arch, entry in found.items()}
    assert all(kept["x86_64"])
    assert not all(kept["aarch64"])
    assert listed(interrupted) == {VERSION: ["x86_64", "aarch64"]}
    assert "an earlier run was cut off in the step" in done.stderr.decode()
