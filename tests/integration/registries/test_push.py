"""`bootimg upload --registry` against a real registry."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from bootimg.arch import Arch
from tests.integration.clouds.commands import meta, run
from tests.integration.registries.conftest import Served
from tests.support.builds.registrybuilds import BUILD, make_builds
from tests.support.program import program


def push(builds: Path, served: Served, *words: object, code: int = 0) -> Any:  # noqa: ANN401
    return run("upload", builds, *served.words, *words, code=code)["uploads"]


def inspect(served: Served, name: str, *words: str) -> bytes:
    """What skopeo reads."""
    options = [f"--cert-dir={served.certificates}", f"--authfile={served.authfile}", *words]
    argv = ["skopeo", "inspect", "--raw", *options, f"docker://{served.address}/{name}"]
    return subprocess.run(argv, check=True, capture_output=True).stdout


def test_a_layer_is_pushed_as_one_list(served: Served, tmp_path: Path) -> None:
    paths = make_builds(tmp_path / "builds")
    name = f"{served.address}/a/layer"
    words = ("--registry", f"oscontainer={name}:stable", "--registry", f"oscontainer={name}:{BUILD}")
    (report,) = push(tmp_path / "builds", served, *words)
    assert [each["state"] for each in report["places"]] == ["done"] * 3
    index = json.loads(inspect(served, "a/layer:stable"))
    assert inspect(served, "a/layer:stable") == inspect(served, f"a/layer:{BUILD}")
    assert {each["platform"]["architecture"] for each in index["manifests"]} == {"amd64", "arm64"}
    assert index["annotations"]["org.opencontainers.image.version"] == BUILD
    for arch, path in paths.items():
        entry = meta(path)["base-oscontainer"]
        assert entry["image"] == name
        assert entry["tags"] == [BUILD, "stable"]
        assert f"sha256:{meta(path)['images']['oci-manifest']['sha256']}" == entry["digest"]
        config = json.loads(inspect(served, f"a/layer@{entry['digest']}", "--config"))
        assert config["architecture"] == arch.oci
    release = tmp_path / "release.json"
    words_of_release = ("--name", "stable", "--format", "release", "--published", "https://example.com")
    argv = ("stream", "generate", BUILD, "-o", tmp_path / "builds", *words_of_release, "--output", release)
    assert program(*argv).returncode == 0
    image = json.loads(release.read_text())["architectures"]["aarch64"]["oci-image"]
    assert image == {"image": f"{name}:stable", "digest-ref": f"{name}@{entry['digest']}"}
    (report,) = push(tmp_path / "builds", served, *words)
    assert [each["state"] for each in report["places"]] == ["was there"] * 3
    assert report["calls"] == []


def test_the_architectures_of_other_machines_are_pushed(served: Served, tmp_path: Path) -> None:
    others = [each for each in Arch if each is not Arch.of_machine()][:2]
    make_builds(tmp_path / "builds", arches=others)
    words = ("--registry", f"oscontainer={served.address}/a/layer:stable")
    (report,) = push(tmp_path / "builds", served, *words)
    assert [each["state"] for each in report["places"]] == ["done"] * 3
    index = json.loads(inspect(served, "a/layer:stable"))
    found = {each["platform"]["architecture"] for each in index["manifests"]}
    assert found == {each.oci for each in others}
