"""Two machines that set one tag within moments, with the writes of the other one at chosen moments."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bootimg.arch import Arch
from bootimg.errors import ExitCode
from tests.integration.clouds.commands import run
from tests.integration.registries.test_faults import PLAIN, address, kind, put, tagged
from tests.support.builds.registrybuilds import BUILD, make_builds
from tests.support.clouds.faultproxy import Fault, Proxy, Request

NAME = "a/disks"


def push(builds: Path, proxy: Proxy, platform: str, code: int = ExitCode.OK) -> str | None:
    """The error of a push to two tags, if it fails."""
    name = f"{address(proxy)}/{NAME}"
    words = ("--registry", f"disks={name}:{BUILD}", "--registry", f"disks={name}:stable", "-p", platform)
    (report,) = run("upload", builds, *PLAIN, *words, code=code)["uploads"]
    error = report["places"][-1]["error"]
    return error["id"] if error else None


def disks(proxy: Proxy, tag: str) -> list[str]:
    return [each["platform"]["os"] for each in tagged(proxy, tag, NAME)["manifests"]]


@pytest.mark.parametrize("looks", [2, 3, 5])
def test_no_disk_of_a_list_is_lost(looks: int, proxy: Proxy, tmp_path: Path) -> None:
    """Another machine sets the tags to a list without our disk, before one of our looks at a tag."""
    builds, seen = tmp_path / "builds", 0
    make_builds(builds, arches=[Arch.X86_64])
    push(builds, proxy, "metal")
    other = json.dumps(tagged(proxy, BUILD, NAME), separators=(",", ":")).encode()
    empty = json.loads(other) | {"manifests": []}
    for tag in (BUILD, "stable"):
        put(proxy, tag, json.dumps(empty, separators=(",", ":")).encode(), NAME)

    def plan(request: Request) -> Fault | None:
        nonlocal seen
        seen += kind(request) == "GET manifests by tag" and request.path.endswith((BUILD, "/stable"))
        if seen == looks:
            seen += 100
            for tag in (BUILD, "stable"):
                put(proxy, tag, other, NAME)
        return None

    proxy.plan = plan
    push(builds, proxy, "qemu")
    assert seen > 100
    assert disks(proxy, BUILD) == disks(proxy, "stable") == ["metal", "qemu"]


def test_a_tag_that_is_always_set_by_another_is_named(proxy: Proxy, tmp_path: Path) -> None:
    builds = tmp_path / "builds"
    make_builds(builds, arches=[Arch.X86_64])
    push(builds, proxy, "metal")
    other = json.dumps(tagged(proxy, BUILD, NAME), separators=(",", ":")).encode()

    def plan(request: Request) -> Fault | None:
        if kind(request) == "GET manifests by tag" and request.path.endswith(BUILD):
            put(proxy, BUILD, other, NAME)
        return None

    proxy.plan = plan
    assert push(builds, proxy, "qemu", ExitCode.PARTIAL) == "registry-tag-contended"
