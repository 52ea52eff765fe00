"""`bootimg retire` with a real registry: what a build has there goes, and nothing else."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from bootimg.arch import Arch
from bootimg.builds.index import insert_build
from bootimg.errors import ExitCode
from bootimg.layer.image.fetched import OCI_INDEX, OCI_MANIFEST
from tests.integration.clouds.commands import meta, run
from tests.integration.registries.conftest import Served
from tests.integration.registries.test_faults import PLAIN, address, kind, put, tagged
from tests.support.builds.registrybuilds import BUILD, NEWER, make_builds
from tests.support.clouds.faultproxy import Fault, Proxy, Request

KINDS = {"oscontainer": "layer", "kubevirt": "kubevirt", "disks": "disks"}
SETTINGS = ("--set", "tls_verify=false")


def pushed_builds(proxy: Proxy, tmp_path: Path, *, newer: bool = True) -> Path:
    """An old build, and a newer one, that are in three repositories each."""
    builds = tmp_path / "builds"
    for version in (BUILD, NEWER) if newer else (BUILD,):
        (path,) = make_builds(builds, version, arches=[Arch.X86_64]).values()
        insert_build(builds, version, Arch.X86_64)
        change(path / "meta.json", **{"coreos-assembler.build-timestamp": "2024-01-01T00:00:00Z"})
        for words in targets(proxy, version):
            run("upload", builds, version, *PLAIN, *words)
    (tmp_path / "policy.yaml").write_text("rhel-9.6: {containers: 1d, keep-last: 1}")
    return builds


def targets(proxy: Proxy, version: str) -> list[list[str]]:
    """The pushes of a build; each kind has a tag that moves and one of its own."""
    found = []
    for each, name in KINDS.items():
        target = f"{each}={address(proxy)}/a/{name}"
        found.append(["--registry", f"{target}:stable", "--registry", f"{target}:{version}"])
    return found


def change(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def retire(builds: Path, *words: object, code: int = ExitCode.OK) -> Any:  # noqa: ANN401
    """What it says of the old build."""
    found = run("retire", builds, *(words or words_of(builds)), *SETTINGS, "--retry-for", "2s", code=code)[
        "builds"
    ]
    return next(each for each in found if each["id"] == BUILD)


def words_of(builds: Path) -> tuple[object, ...]:
    return "--policy", builds.parent / "policy.yaml", "--no-stream-file", "--yes"


def places(found: Any) -> dict[str, str]:  # noqa: ANN401
    """The state of each place, by the key of its record."""
    return {f"{report['key']} {each['place'].rpartition('/')[2]}": each["state"]
            for report in found["uploads"] for each in report["places"]}  # fmt: skip


def in_registry(proxy: Proxy, folder: Path) -> list[str]:
    """The manifests in the registry that a build's records name, and the lists of what refers to them."""
    document = meta(folder)
    entries = [document["base-oscontainer"], document["kubevirt"]]
    entries += json.loads((folder / "bootimg.json").read_text())["disk-artifacts"]
    names = {(each["image"].partition("/")[2], each[key])
             for each in entries for key in ("digest", "manifest-list-digest")}  # fmt: skip
    names |= {(name, digest.replace(":", "-")) for name, digest in names}
    return [f"{name} {each}" for name, each in sorted(names) if exists(proxy, name, each)]


def exists(proxy: Proxy, name: str, reference: str) -> bool:
    url = f"{proxy.server}/v2/{name}/manifests/{reference}"
    request = urllib.request.Request(url, headers={"Accept": f"{OCI_INDEX}, {OCI_MANIFEST}"}, method="HEAD")
    try:
        with urllib.request.urlopen(request):
            return True
    except urllib.error.HTTPError as error:
        assert error.code == 404
        return False


def mark(builds: Path) -> Any:  # noqa: ANN401
    """What builds.json says of the old build."""
    index = json.loads((builds / "builds.json").read_text())
    return next(each for each in index["builds"] if each["id"] == BUILD).get("policy-cleanup")


def referring(proxy: Proxy, folder: Path) -> list[str]:
    """The digests of what refers to a build's disks."""
    disks = json.loads((folder / "bootimg.json").read_text())["disk-artifacts"]
    found = [tagged(proxy, each["digest"].replace(":", "-"), "a/disks") for each in disks]
    return [each["digest"] for listed in found if listed for each in listed["manifests"]]


def test_all_that_a_build_has_in_registries_goes(proxy: Proxy, tmp_path: Path) -> None:
    """Layer, KubeVirt's disk, disk artifacts and what refers to them; a newer build and its tags stay."""
    builds = pushed_builds(proxy, tmp_path)
    old, new = (builds / each / "x86_64" for each in (BUILD, NEWER))
    before, attached = in_registry(proxy, old), referring(proxy, old)
    # A list, an image in it, and a list of what refers to it, for containers; for disks two images, each with
    # such a list.
    assert (len(before), len(attached)) == (3 + 3 + 5, 3)
    kept = in_registry(proxy, new)
    planned = retire(builds, "--policy", tmp_path / "policy.yaml")
    calls = {each["parameters"]["reference"] for report in planned["uploads"] for each in report["calls"]}
    assert len(calls) == 4 + 4 + 3 + 2 + 3
    assert in_registry(proxy, old) == before
    found = retire(builds)
    assert set(places(found)) == {"base-oscontainer layer", "kubevirt kubevirt", "disk-artifacts disks"}
    assert (set(places(found).values()), found["marked"]) == ({"done"}, ["containers"])
    assert in_registry(proxy, old) == []
    assert not any(exists(proxy, "a/disks", each) for each in attached)
    assert in_registry(proxy, new) == kept
    for name in KINDS.values():
        assert tagged(proxy, BUILD, f"a/{name}") is None
        assert tagged(proxy, "stable", f"a/{name}") == tagged(proxy, NEWER, f"a/{name}")
    assert mark(builds) == {"containers": True}
    assert retire(builds)["reason"] == "containers done already"
    # Whoever lost the marks finds all gone.
    for path in old.glob(".bootimg-upload-*.ndjson"):
        path.unlink()
    change(builds / "builds.json", builds=[{"id": each, "arches": ["x86_64"]} for each in (NEWER, BUILD)])
    assert set(places(retire(builds)).values()) == {"was there"}
    assert mark(builds) == {"containers": True}


@pytest.mark.parametrize("number", [2, 9])
def test_killed_anywhere_the_same_command_has_the_same_end(number: int, proxy: Proxy, tmp_path: Path) -> None:
    builds = pushed_builds(proxy, tmp_path)
    old, seen = builds / BUILD / "x86_64", 0
    attached = referring(proxy, old)

    def plan(request: Request) -> Fault | None:
        nonlocal seen
        seen += request.method == "DELETE"
        if request.method != "DELETE" or seen != number:
            return None
        os.kill(process.pid, signal.SIGKILL)
        return Fault(drop="after" if number % 2 else "before")

    proxy.plan = plan
    argv = [sys.executable, "-m", "bootimg", "retire", "-o", builds, "--cache", tmp_path / "cache",
            *words_of(builds), *SETTINGS]  # fmt: skip
    process = subprocess.Popen(list(map(str, argv)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL, output
    proxy.plan = lambda request: None
    assert mark(builds) is None
    assert retire(builds)["marked"] == ["containers"]
    assert in_registry(proxy, old) == []
    assert not any(exists(proxy, "a/disks", each) for each in attached)


def test_a_place_that_fails_is_named_and_hides_no_other(proxy: Proxy, tmp_path: Path) -> None:
    builds = pushed_builds(proxy, tmp_path)
    proxy.plan = lambda request: (
        Fault(405) if kind(request).startswith("DELETE") and "/a/kubevirt/" in request.path else None
    )
    found = retire(builds, code=ExitCode.PARTIAL)
    assert places(found) == {"base-oscontainer layer": "done", "kubevirt kubevirt": "failed",
                             "disk-artifacts disks": "done"}  # fmt: skip
    (error,) = (each["error"] for report in found["uploads"] for each in report["places"] if each["error"])
    assert error["id"] == "registry-deletion-unsupported"
    assert (found["marked"], mark(builds)) == ([], None)
    proxy.plan = lambda request: None
    found = retire(builds)
    assert places(found) == {"kubevirt kubevirt": "done"}
    assert mark(builds) == {"containers": True}


def test_what_is_in_use_stays(proxy: Proxy, tmp_path: Path) -> None:
    """A tag that moves still names it, or a list that has grown meanwhile; or a stream's file names it."""
    builds = pushed_builds(proxy, tmp_path, newer=False)
    old = builds / BUILD / "x86_64"
    insert_build(builds, NEWER, Arch.X86_64)
    change(tmp_path / "builds" / "builds.json", builds=[{"id": BUILD, "arches": ["x86_64"]}])
    (tmp_path / "policy.yaml").write_text("rhel-9.6: {containers: 1d}")
    # The record is of a list that has grown on another machine.
    record = json.loads((old / "bootimg.json").read_text())
    for each in record["disk-artifacts"]:
        each["manifest-list-digest"] = f"sha256:{'0' * 64}"
    change(old / "bootimg.json", **record)
    found = retire(builds, code=ExitCode.PARTIAL)
    errors = [each["error"]["id"] for report in found["uploads"] for each in report["places"]]
    assert errors == ["registry-image-in-use"] * 3
    assert not any(each.method == "DELETE" for each in proxy.requests)
    digest = json.loads((old / "bootimg.json").read_text())["disk-artifacts"][0]["digest"]
    images = {"kubevirt": {"release": "1", "image": "x", "digest-ref": f"{address(proxy)}/a/disks@{digest}"}}
    arches = {"x86_64": {"artifacts": {}, "images": images}}
    stream = {"stream": "s", "metadata": {"last-modified": "x"}, "architectures": arches}
    (tmp_path / "s.json").write_text(json.dumps(stream))
    words = ("--policy", tmp_path / "policy.yaml", "--stream-file", tmp_path / "s.json", "--yes")
    assert retire(builds, *words)["reason"] == "is named by s.json (stream s)"


def test_an_image_that_another_build_has_too_stays(proxy: Proxy, tmp_path: Path) -> None:
    """Two builds of one layer have the same manifest; it goes with the last of them."""
    builds = pushed_builds(proxy, tmp_path)
    old, new = (builds / each / "x86_64" for each in (BUILD, NEWER))
    shared = meta(old)["base-oscontainer"]["digest"]
    change(new / "meta.json", **{"base-oscontainer": meta(new)["base-oscontainer"] | {"digest": shared}})
    assert retire(builds)["marked"] == ["containers"]
    assert [each for each in in_registry(proxy, old) if "sha256-" not in each] == [f"a/layer {shared}"]
    (tmp_path / "policy.yaml").write_text("rhel-9.6: {containers: 1d}")
    assert retire_all(builds, ExitCode.PARTIAL) == {"registry-image-in-use"}
    for name in KINDS.values():
        empty = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}).encode()
        put(proxy, "stable", empty, f"a/{name}")
    assert retire_all(builds, ExitCode.OK) == set()
    assert in_registry(proxy, old) == in_registry(proxy, new) == []


def retire_all(builds: Path, code: int) -> set[str]:
    """The errors."""
    found = run("retire", builds, *words_of(builds), *SETTINGS, code=code)["builds"]
    return {place["error"]["id"] for each in found for report in each["uploads"]
            for place in report["places"] if place["error"]}  # fmt: skip


def test_a_registry_that_deletes_nothing(served: Served, tmp_path: Path) -> None:
    builds = tmp_path / "builds"
    (path,) = make_builds(builds, arches=[Arch.X86_64]).values()
    insert_build(builds, BUILD, Arch.X86_64)
    change(path / "meta.json", **{"coreos-assembler.build-timestamp": "2024-01-01T00:00:00Z"})
    target = f"disks={served.address}/a/disks:{BUILD}"
    run("upload", builds, *served.words, "--registry", target, "-p", "metal")
    (tmp_path / "policy.yaml").write_text("rhel-9.6: {containers: 1d}")
    words = ("--policy", tmp_path / "policy.yaml", "--no-stream-file", "--yes", "--set",
             f"authfile={served.authfile}", "--set", f"cert_dir={served.certificates}")  # fmt: skip
    (found,) = run("retire", builds, *words, code=ExitCode.PARTIAL)["builds"]
    (place,) = found["uploads"][0]["places"]
    assert (place["error"]["id"], found["state"]) == ("registry-deletion-unsupported", "retired in part")
    assert f"{served.address}/a/disks" in place["error"]["message"]
    assert mark(builds) is None
