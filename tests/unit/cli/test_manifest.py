"""`bootimg manifest` and `bootimg platforms`: what they print is what is built and installed."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bootimg.arch import Arch
from bootimg.cache import Cache
from bootimg.events import Events
from bootimg.manifest.model import Manifest
from bootimg.manifest.reader import read_recipes
from bootimg.orchestrator.recipes import document as manifest
from bootimg.orchestrator.recipes.document import manifest_of
from bootimg.orchestrator.recipes.prepare import open_layer
from bootimg.platform import platforms
from tests.support.layers import oci
from tests.support.layers.manifests import pipeline, stages
from tests.support.program import program
from tests.unit.orchestrator.test_variables import layer, request


def run(*words: str) -> str:
    done = program(*words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_manifest_of_an_image_names_an_archive_that_is_there(tmp_path: Path) -> None:
    oci.Layout(tmp_path / "image").add([oci.bootable()])
    words = [
        "manifest",
        str(tmp_path / "image"),
        "--cache",
        str(tmp_path / "cache"),
        "--arch",
        "x86_64",
        "--size",
        "8G",
    ]
    text = run(*words)
    document = json.loads(text)
    read_recipes(Manifest.from_json(document))[512]
    ((checksum, url),) = document["sources"]["org.osbuild.curl"]["items"].items()
    archive = Path(url.removeprefix("file://")).read_bytes()
    assert checksum == f"sha256:{hashlib.sha256(archive).hexdigest()}"
    assert stages({"pipelines": [pipeline(document, "raw-qemu-image")]}, "truncate")[0]["options"] == {
        "filename": "disk.img",
        "size": str(8 << 30),
    }
    assert run(*words) == text
    assert json.loads(run(*words, "--json")) == document


def test_image_of_a_registry_is_left_to_osbuild(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = layer(tmp_path)
    image = replace(found.image, reference="docker://quay.io/example/os:latest")
    # There is no registry here: the layer is a local one under a registry's name.
    monkeypatch.setattr(manifest, "open_layer", lambda *_: replace(found, image=image))
    document = manifest_of(request(tmp_path), Cache(tmp_path / "cache"), Events())
    recipe = read_recipes(Manifest.from_json(document))[512]
    assert (recipe.source.digest, recipe.source.reference) == (image.digest, "quay.io/example/os")
    assert list(document["sources"]) == ["org.osbuild.skopeo"]
    assert recipe.sysroot
    assert recipe.sysroot.deploy.target_imgref == "ostree-unverified-registry:quay.io/example/os:latest"
    assert not (tmp_path / "cache" / "archives").exists()


def test_reading_the_layer_is_all_the_manifest_costs(tmp_path: Path) -> None:
    layer(tmp_path)
    cache = Cache(tmp_path / "cache")
    manifest_of(request(tmp_path), cache, Events())
    assert open_layer(request(tmp_path), cache, Events()).image.digest
    assert not (cache.root / "repo").exists()
    assert not (tmp_path / "builds").exists()


def test_platforms_are_the_plugins() -> None:
    document = json.loads(run("platforms", "--json"))
    assert [each["name"] for each in document["platforms"]] == list(platforms())
    qemu = next(each for each in document["platforms"] if each["name"] == "qemu")
    assert qemu["arches"] == [str(arch) for arch in Arch]
    assert (qemu["format"], qemu["suffix"], qemu["image-key"]) == ("qcow2", "qcow2", "qemu")
    assert qemu["consoles"]["x86_64"]["kernel-arguments"] == ["console=tty0", "console=ttyS0,115200n8"]
    lines = run("platforms").splitlines()
    assert lines[0].split()[:6] == ["platform", "file", *Arch]
    assert [line.split()[0] for line in lines[1:]] == list(platforms())


def test_listing_platforms_imports_no_sdk() -> None:
    code = "import sys; from bootimg.__main__ import main; main(['platforms']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.splitlines()[-1].split()}
    assert not loaded & {
        "boto3",
        "botocore",
        "azure",
        "google",
        "requests",
        "yaml",
        "guestfs",
        "gi",
        "zstandard",
    }
