"""What cannot be pushed, said before anything is sent; and what the streams file says."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import jsonschema
import pytest

from bootimg.arch import Arch
from bootimg.errors import BootimgError, ExitCode
from tests.integration.clouds.commands import failing, invoke, meta, run
from tests.integration.registries.conftest import Served
from tests.integration.registries.test_faults import PLAIN, address, tagged
from tests.support.builds.registrybuilds import BUILD, NEWER, make_builds
from tests.support.clouds.faultproxy import Proxy
from tests.unit.builds.test_meta import DATA

CONFIG = """
streams:
  stable: {{type: production, additional_registry_repos: {{kubevirt: [{{repo: {name}/mirror, tags: [x]}}]}}}}
registry_repos:
  oscontainer: [{{repo: {name}/os, tags: ["${{STREAM}}", "${{VERSION}}"], v2s2: true}}]
  kubevirt: [{{repo: {name}/kubevirt, tags: ["${{STREAM}}"]}}]
"""


def test_logins_and_certificates(served: Served, tmp_path: Path) -> None:
    """No login, a wrong one, an unknown CA; no secret is in any message."""
    make_builds(tmp_path / "builds", arches=[Arch.X86_64])
    wrong, secret = tmp_path / "wrong.json", base64.b64encode(b"us:sesame").decode()
    wrong.write_text(json.dumps({"auths": {served.address: {"auth": secret}}}))
    target = ("--registry", f"oscontainer={served.address}/a/b:t")
    certificates = ("--cert-dir", served.certificates)
    for words, id in (
        (certificates, "cloud-credentials-missing"),
        ((*certificates, "--authfile", wrong), "cloud-credentials-refused"),
        (("--authfile", served.authfile), "registry-untrusted"),
    ):
        done = invoke("upload", tmp_path / "builds", *target, *words)
        places = json.loads(done.stdout)["uploads"][0]["places"]
        assert done.exit_code == ExitCode.PARTIAL
        assert [each["error"]["id"] for each in places] == [id, "registry-images-missing"]
        assert secret not in done.output
        assert "sesame" not in done.output
    malformed = tmp_path / "malformed.json"
    malformed.write_text(json.dumps({"auths": {served.address: {"auth": "sesame!"}}}))
    error = failing("upload", tmp_path / "builds", *target, *certificates, "--authfile", malformed)
    assert error.id == "registry-credentials-invalid"
    assert "sesame" not in f"{error} {error.context}"


@pytest.mark.parametrize(
    ("target", "id"),
    [("kubernetes=a.b/c", "cloud-setting-invalid"), ("oscontainer", "cloud-setting-missing"),
     ("oscontainer=name:tag", "layer-reference-invalid"), ("disks=a.b/UP:t", "layer-reference-invalid"),
     ("disks=us:word@a.b/c", "layer-reference-invalid"), ("all=a.b/c", "cloud-setting-invalid"),
     (f"oscontainer=a.b/c@sha256:{'0' * 64}", "layer-reference-invalid"),
     ("extensions=127.0.0.1:1/c:t", "artifact-missing")],
)  # fmt: skip
def test_wrong_targets(target: str, id: str, tmp_path: Path) -> None:
    make_builds(tmp_path / "builds", arches=[Arch.X86_64])
    words = ("--registry", target, *PLAIN, "--retry-for", "1s")
    try:
        document = run("upload", tmp_path / "builds", *words, code=ExitCode.PARTIAL)
    except BootimgError as error:
        assert error.id == id
        assert "word" not in str(error)
    else:
        assert document["uploads"][0]["places"][0]["error"]["id"] == id


def test_the_repositories_of_a_stream(proxy: Proxy, tmp_path: Path) -> None:
    """All kinds that the file names; Docker's format; KubeVirt's list has only what was made."""
    paths = make_builds(tmp_path / "builds")
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG.format(name=address(proxy)))
    words = (*PLAIN, "--streams", config, "--stream", "stable", "--registry", "all")
    reports = run("upload", tmp_path / "builds", *words)["uploads"]
    assert [(each["platform"], each["key"], len(each["places"])) for each in reports] == [
        ("oscontainer", "base-oscontainer", 3), ("kubevirt", "kubevirt", 2), ("kubevirt", "kubevirt", 2),
    ]  # fmt: skip
    x86, docker = meta(paths[Arch.X86_64]), "application/vnd.docker.distribution.manifest"
    for tag in ("stable", BUILD):
        found = tagged(proxy, tag, "os")
        assert found["mediaType"] == f"{docker}.list.v2+json"
        assert {each["mediaType"] for each in found["manifests"]} == {f"{docker}.v2+json"}
    assert x86["base-oscontainer"]["digest"] in {each["digest"] for each in found["manifests"]}
    (listed,) = tagged(proxy, "stable", "kubevirt")["manifests"]
    digest = x86["kubevirt"]["manifest-list-digest"]
    entry = {"digest": listed["digest"], "manifest-list-digest": digest}
    assert x86["kubevirt"] == {
        "image": f"{address(proxy)}/kubevirt", "tags": ["stable"], **entry,
        "additional-images": [{"image": f"{address(proxy)}/mirror", "tags": ["x"], **entry}],
    }  # fmt: skip
    assert "kubevirt" not in meta(paths[Arch.AARCH64])
    if (DATA / "meta-v1.schema.json").exists():
        jsonschema.validate(x86, json.loads((DATA / "meta-v1.schema.json").read_text()))
    assert {each["state"] for report in run("upload", tmp_path / "builds", *words)["uploads"]
            for each in report["places"]} == {"was there"}  # fmt: skip
    # Docker's lists say no version: that of an image's label counts.
    newer = make_builds(tmp_path / "builds", NEWER)[Arch.X86_64]
    run("upload", tmp_path / "builds", NEWER, *words[:-1], "oscontainer")
    (report,) = run("upload", tmp_path / "builds", BUILD, *words[:-1], "oscontainer")["uploads"]
    assert f"stable names the newer build {NEWER}" in report["places"][-1]["text"]
    digests = {each["digest"] for each in tagged(proxy, "stable", "os")["manifests"]}
    assert meta(newer)["base-oscontainer"]["digest"] in digests
    error = failing("upload", tmp_path / "builds", *words[:-1], "extensions")
    assert error.id == "cloud-setting-missing"
