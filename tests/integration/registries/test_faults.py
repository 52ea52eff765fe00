"""Pushes through a proxy that spoils answers, and pushes that are killed, late or at once."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bootimg.arch import Arch
from bootimg.builds.index import insert_build
from bootimg.cache import Cache
from bootimg.cloud.lifecycle import Report
from bootimg.cloud.verbs import Verb
from bootimg.errors import ExitCode
from bootimg.events import Events
from bootimg.layer.image.fetched import DOCKER_LIST
from bootimg.layer.image.fetched import OCI_INDEX as INDEX
from bootimg.orchestrator.uploading.request import CloudRequest
from bootimg.orchestrator.uploading.run import run_cloud_verb
from tests.integration.clouds.commands import meta, run
from tests.integration.registries.conftest import Served
from tests.support.builds.registrybuilds import BUILD, NEWER, make_builds
from tests.support.clouds.faultproxy import Fault, Proxy, Request
from tests.support.program import program

PLAIN = ("--tls-verify", "false")


def address(proxy: Proxy) -> str:
    return proxy.url.removeprefix("http://")


def push(builds: Path, proxy: Proxy, *words: object, code: int = ExitCode.OK) -> Any:  # noqa: ANN401
    name = f"{address(proxy)}/a/layer"
    targets = ("--registry", f"oscontainer={name}:stable", "--registry", f"oscontainer={name}:{BUILD}")
    (report,) = run("upload", builds, *PLAIN, *(words or targets), code=code)["uploads"]
    return report


def tagged(proxy: Proxy, tag: str, name: str = "a/layer") -> Any:  # noqa: ANN401
    """The list under a tag; None if there is none."""
    url, types = f"{proxy.url}/v2/{name}/manifests/{tag}", f"{INDEX}, {DOCKER_LIST}"
    request = urllib.request.Request(url, headers={"Accept": types})
    try:
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        assert error.code == 404
        return None


def kind(request: Request) -> str:
    """The kind of a request: the method, what it is about, and for manifests whether by tag or digest."""
    words = request.path.partition("?")[0].strip("/").split("/")
    about = next((each for each in ("uploads", "blobs", "manifests", "referrers") if each in words), "other")
    if about == "manifests":
        about += " by digest" if words[-1].startswith("sha256:") else " by tag"
    return f"{request.method} {about}"


def test_every_request_may_fail_once(proxy: Proxy, tmp_path: Path) -> None:
    """Each kind of request has another fault, and the end is the same."""
    paths = make_builds(tmp_path / "builds", arches=[Arch.X86_64])
    faults = [Fault(503), Fault(drop="before"), Fault(drop="after"), Fault(drop="middle"),
              Fault(429, {"Retry-After": "1"}), Fault(500, body=b"<html>")]  # fmt: skip
    seen: dict[str, Fault] = {}

    def plan(request: Request) -> Fault | None:
        if kind(request) in seen or kind(request) == "GET other":
            return None
        seen[kind(request)] = faults[len(seen) % len(faults)]
        return seen[kind(request)]

    proxy.plan = plan
    report = push(tmp_path / "builds", proxy)
    proxy.plan = lambda request: None
    assert [each["state"] for each in report["places"]] == ["done"] * 2
    assert {"POST uploads", "PATCH uploads", "PUT uploads", "PUT manifests by digest", "PUT manifests by tag",
            "HEAD manifests by digest", "GET manifests by tag"} <= set(seen)  # fmt: skip
    assert tagged(proxy, "stable") == tagged(proxy, BUILD)
    entry = meta(paths[Arch.X86_64])["base-oscontainer"]
    assert [each["digest"] for each in tagged(proxy, "stable")["manifests"]] == [entry["digest"]]
    # What was announced is there: skopeo reads every blob, and compares every digest.
    argv = [
        "skopeo",
        "copy",
        "-q",
        "--all",
        "--src-tls-verify=false",
        f"docker://{address(proxy)}/a/layer:stable",
    ]
    subprocess.run([*argv, f"dir:{tmp_path}/back"], check=True)


@pytest.mark.parametrize(("action", "number"), [("PUT uploads", 2), ("PUT manifests by digest", 1),
                                                ("PUT manifests by tag", 1)])  # fmt: skip
def test_a_killed_push_continues(action: str, number: int, proxy: Proxy, tmp_path: Path) -> None:
    make_builds(tmp_path / "builds", arches=[Arch.X86_64])
    seen = 0

    def plan(request: Request) -> Fault | None:
        nonlocal seen
        seen += kind(request) == action
        if kind(request) == action and seen == number:
            os.kill(process.pid, signal.SIGKILL)
            return Fault(drop="after")
        return None

    proxy.plan = plan
    name = f"{address(proxy)}/a/layer"
    argv = [sys.executable, "-m", "bootimg", "upload", "-o", str(tmp_path / "builds"), "--cache",
            str(tmp_path / "c"), *PLAIN, "--registry", f"oscontainer={name}:stable"]  # fmt: skip
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL, output
    proxy.plan = lambda request: None
    before = sum(kind(each) == "PUT uploads" for each in proxy.requests)
    push(tmp_path / "builds", proxy)
    # Two layers, their config, the SBOM and its empty config: what arrived is not sent again, but for one
    # that was on its way.
    again = sum(kind(each) == "PUT uploads" for each in proxy.requests) - before
    assert again <= 5 - before + 1
    assert tagged(proxy, "stable")["manifests"] == tagged(proxy, BUILD)["manifests"]


def test_an_interrupted_push_ends_soon(proxy: Proxy, tmp_path: Path) -> None:
    """^C while skopeo waits for an answer: skopeo is ended too, and nothing temporary is left."""
    make_builds(tmp_path / "builds", arches=[Arch.X86_64])
    interrupted = threading.Event()

    def plan(request: Request) -> Fault | None:
        if kind(request) == "PUT uploads" and not interrupted.is_set():
            process.send_signal(signal.SIGINT)
            interrupted.set()
            ended.wait(60)
        return None

    ended = threading.Event()
    proxy.plan = plan
    argv = [sys.executable, "-m", "bootimg", "upload", "-o", str(tmp_path / "builds"), "--cache",
            str(tmp_path / "c"), *PLAIN, "--registry", f"oscontainer={address(proxy)}/a/layer:t"]  # fmt: skip
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output, _ = process.communicate(timeout=120)
    assert interrupted.is_set()
    ended.set()
    assert process.returncode == ExitCode.INTERRUPTED, output
    assert list((tmp_path / "c" / "tmp").iterdir()) == []
    assert tagged(proxy, "t") is None


def test_tags_wait_for_all_architectures(proxy: Proxy, tmp_path: Path) -> None:
    """An architecture that is not here, then one whose files are not here; and a dry run changes nothing."""
    builds = tmp_path / "builds"
    paths = make_builds(builds)
    for arch in paths:
        insert_build(builds, BUILD, arch)
    other = tmp_path / "elsewhere"
    paths[Arch.AARCH64].rename(other)
    report = push(builds, proxy, code=ExitCode.PARTIAL)
    assert [each["state"] for each in report["places"]] == ["done", "failed"]
    assert report["places"][1]["error"]["id"] == "registry-images-missing"
    assert "aarch64" in report["places"][1]["error"]["context"][0]
    assert tagged(proxy, "stable") is tagged(proxy, BUILD) is None
    assert "tags" not in meta(paths[Arch.X86_64])["base-oscontainer"]
    other.rename(paths[Arch.AARCH64])
    # As on the machine of the other architecture: it has no file of this one.
    (paths[Arch.X86_64] / meta(paths[Arch.X86_64])["images"]["ostree"]["path"]).rename(tmp_path / "kept")
    sent = len(proxy.requests)
    report = push(builds, proxy, "--registry", f"oscontainer={address(proxy)}/a/layer:stable", "--dry-run")
    assert {each["operation"] for each in report["calls"]} == {"CopyImage", "PutManifest"}
    assert {each.method for each in proxy.requests[sent:]} <= {"GET", "HEAD"}
    assert tagged(proxy, "stable") is None
    report = push(
        builds, proxy, "--arch", "aarch64", "--registry", f"oscontainer={address(proxy)}/a/layer:stable"
    )
    assert [each["state"] for each in report["places"]] == ["was there", "done", "done"]
    assert len(tagged(proxy, "stable")["manifests"]) == 2
    assert meta(paths[Arch.X86_64])["base-oscontainer"]["tags"] == ["stable"]


def test_a_moving_tag_never_goes_back(proxy: Proxy, tmp_path: Path) -> None:
    builds, name = tmp_path / "builds", f"{address(proxy)}/a/layer"
    make_builds(builds, arches=[Arch.X86_64])
    make_builds(builds, NEWER, arches=[Arch.X86_64])
    run("upload", builds, NEWER, *PLAIN, "--registry", f"oscontainer={name}:stable")
    newer = tagged(proxy, "stable")
    words = (
        BUILD,
        *PLAIN,
        "--registry",
        f"oscontainer={name}:stable",
        "--registry",
        f"oscontainer={name}:{BUILD}",
    )
    (report,) = run("upload", builds, *words)["uploads"]
    assert f"stable names the newer build {NEWER}" in report["places"][-1]["text"]
    assert tagged(proxy, "stable") == newer
    assert meta(builds / BUILD / "x86_64")["base-oscontainer"]["tags"] == [BUILD]
    # Another machine sets the tag to the newer build just after this one has set it to the older.
    checks = 0

    def plan(request: Request) -> Fault | None:
        nonlocal checks
        if kind(request) == "GET manifests by tag" and request.path.endswith("/next"):
            checks += 1
            if checks == 2:
                put(proxy, "next", json.dumps(newer, separators=(",", ":")).encode())
        return None

    proxy.plan = plan
    (report,) = run("upload", builds, BUILD, *PLAIN, "--registry", f"oscontainer={name}:next")["uploads"]
    proxy.plan = lambda request: None
    assert "next names the newer build" in report["places"][-1]["text"]
    assert tagged(proxy, "next") == newer


def put(proxy: Proxy, tag: str, data: bytes, name: str = "a/layer") -> None:
    """Set a tag, past the proxy."""
    url = f"{proxy.server}/v2/{name}/manifests/{tag}"
    request = urllib.request.Request(url, data, {"Content-Type": INDEX}, method="PUT")
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 201


def test_content_of_a_version_is_not_replaced(proxy: Proxy, tmp_path: Path) -> None:
    builds = tmp_path / "builds"
    make_builds(builds, arches=[Arch.X86_64])
    push(builds, proxy)
    before = tagged(proxy, BUILD)
    shutil.rmtree(builds)
    path = make_builds(builds, arches=[Arch.X86_64], flavour="again")[Arch.X86_64]
    report = push(builds, proxy, code=ExitCode.PARTIAL)
    assert report["places"][-1]["error"]["id"] == "registry-tag-taken"
    assert tagged(proxy, BUILD) == tagged(proxy, "stable") == before
    assert "tags" not in meta(path)["base-oscontainer"]


def test_a_registry_with_the_referrers_api_gets_no_fallback_tag(proxy: Proxy, tmp_path: Path) -> None:
    paths = make_builds(tmp_path / "builds", arches=[Arch.X86_64])
    empty = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": []}).encode()
    proxy.plan = lambda request: (
        Fault(200, {"Content-Type": INDEX}, body=empty) if "/referrers/" in request.path else None
    )
    name = f"{address(proxy)}/a/disks"
    push(tmp_path / "builds", proxy, "--registry", f"disks={name}:{BUILD}", "-p", "qemu")
    (disk,) = tagged(proxy, BUILD, "a/disks")["manifests"]
    assert tagged(proxy, disk["digest"].replace(":", "-"), "a/disks") is None
    # A pull whose connection is lost begins anew, and leaves nothing else behind.
    lost: list[Request] = []

    def plan(request: Request) -> Fault | None:
        if kind(request) == "GET blobs" and len(lost) < 2:
            lost.append(request)
            return Fault(drop="middle")
        return None

    proxy.plan = plan
    out = tmp_path / "out"
    out.mkdir()
    argv = [
        "pull",
        f"{name}:{BUILD}",
        "--arch",
        "x86_64",
        "--output",
        out,
        "--cache",
        tmp_path / "cache",
        *PLAIN,
    ]
    assert program(*argv).returncode == 0
    assert len(lost) == 2
    (file,) = out.iterdir()
    assert file.read_bytes() == (paths[Arch.X86_64] / file.name).read_bytes()


def test_a_push_is_retired(proxy: Proxy, tmp_path: Path) -> None:
    """By the uploader of the platform, if no tag that moves names it; a repetition finds it gone."""
    builds, name = tmp_path / "builds", f"{address(proxy)}/a/kubevirt"
    target = ("--registry", f"kubevirt={name}:stable", "--registry", f"kubevirt={name}:{BUILD}")
    path = make_builds(builds, arches=[Arch.X86_64])[Arch.X86_64]
    push(builds, proxy, *target)
    request = CloudRequest(verb=Verb.RETIRE, builds=builds, which=BUILD, platforms=("kubevirt",),
                           overrides={"tls_verify": False}, retry_for=5)  # fmt: skip

    def retire(**changes: Any) -> Report:  # noqa: ANN401
        (report,) = run_cloud_verb(replace(request, **changes), Cache(tmp_path / "cache"), Events())
        return report

    (refused,) = retire().results
    assert refused.error
    assert refused.error.id == "registry-image-in-use"
    assert tagged(proxy, BUILD, "a/kubevirt") is not None
    make_builds(builds, NEWER, arches=[Arch.X86_64])
    run("upload", builds, NEWER, *PLAIN, *target[:2])
    assert [each.operation for each in retire(dry_run=True).calls] == ["DeleteManifest"] * 4
    assert tagged(proxy, BUILD, "a/kubevirt") is not None
    assert retire().results[0].state == "done"
    assert tagged(proxy, BUILD, "a/kubevirt") is None
    assert retire().results[0].state == "was there"
    (left,) = tagged(proxy, "stable", "a/kubevirt")["manifests"]
    assert left["digest"] == meta(builds / NEWER / "x86_64")["kubevirt"]["digest"]
    assert meta(path)["kubevirt"]["image"] == name


def test_a_registry_that_does_not_delete(served: Served, tmp_path: Path) -> None:
    builds, name = tmp_path / "builds", f"{served.address}/a/kubevirt"
    make_builds(builds, arches=[Arch.X86_64])
    run("upload", builds, *served.words, "--registry", f"kubevirt={name}:{BUILD}")
    settings = {"authfile": str(served.authfile), "cert_dir": str(served.certificates)}
    request = CloudRequest(verb=Verb.RETIRE, builds=builds, platforms=("kubevirt",), overrides=settings)
    (report,) = run_cloud_verb(request, Cache(tmp_path / "cache"), Events())
    (result,) = report.results
    assert result.error
    assert result.error.id == "registry-deletion-unsupported"
