"""What a run does for a stream, with a real layer and a server of S3."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bootimg.arch import Arch
from bootimg.builds.folder import open_build
from bootimg.cli.main import bootimg
from bootimg.errors import BootimgError
from tests.support.layers import oci
from tests.unit.builds.test_bucket import client, descriptions, endpoint, s3  # noqa: F401 - fixtures

CONFIG = """\
streams:
  rhel-9.6: {{type: development}}
  ocp: {{type: development, skip_disk_images: true}}
  none: {{type: development, skip_cloud_uploads: true}}
s3: {{bucket: art, builds_key: "prod/streams/${{STREAM}}"}}
default_artifacts: {{all: [qemu, metal, aws, gcp, kubevirt, openstack]}}
registry_repos:
  oscontainer: [{{repo: localhost:5000/os, tags: ["${{STREAM}}"]}}]
  kubevirt: [{{repo: localhost:5000/kubevirt, tags: ["${{STREAM}}"]}}]
  extensions: [{{repo: localhost:5000/extensions, tags: ["${{STREAM}}"]}}]
clouds:
  aws: {{bucket: images, primary_region: us-east-1}}
  openstack: {{cloud: here}}
bootimg: {{layer: "{layer}"}}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The streams' file; the layer of each stream says that it is of that stream."""
    for stream in ("rhel-9.6", "ocp", "none"):
        layout = oci.Layout(tmp_path / f"image-{stream}")
        layout.add([oci.bootable()], labels={**oci.LABELS, "com.coreos.stream": stream})
        layout.archive(tmp_path / f"{stream}.ociarchive")
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG.format(layer=f"{tmp_path}/${{STREAM}}.ociarchive"))
    return path


def plan(config: Path, stream: str, *words: str) -> dict[str, Any]:
    done = CliRunner().invoke(bootimg, words_of(config, stream, *words))
    assert done.exit_code == 0, (done.output, done.exception)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def words_of(config: Path, stream: str, *words: str) -> list[str]:
    return ["pipeline", "plan", "--stream", stream, "--streams", str(config), "--json",
            "-o", str(config.parent / "builds"), "--cache", str(config.parent / "cache"), *words]  # fmt: skip


def push_whole(config: Path, found: dict[str, Any], keys: list[str]) -> None:
    """A build with these images, pushed."""
    from bootimg.builds.meta import image_entry
    from bootimg.formats import Written
    from tests.unit.builds.test_meta import written

    builds = config.parent / "made"
    with open_build(builds, found["build"], Arch.X86_64) as build:
        images = {}
        for key in keys:
            made = written(build.scratch / key, key.encode())
            path = build.publish(made.path, f"x-{key}.x86_64.bin")
            images[key] = image_entry(Written(path, made.size, made.sha256), skip_compression=True)
        build.meta.merge({"buildid": found["build"], "name": "x", "images": images,
                          "coreos-assembler.basearch": "x86_64"})  # fmt: skip
        build.finish()
    done = CliRunner().invoke(bootimg, ["builds", "push", found["builds-url"], "-o", str(builds)])
    assert done.exit_code == 0, (done.output, done.exception)


def test_a_stream_takes_all_stages(config: Path, s3: object) -> None:  # noqa: F811
    found = plan(config, "rhel-9.6")
    assert found["builds-url"] == "s3://art/prod/streams/rhel-9.6/builds"
    assert found["stream-url"] == "s3://art/streams/rhel-9.6.json"
    assert (found["arches"], found["missing"], found["make"]) == (["amd64"], ["amd64"], True)
    # A platform without an uploader is not uploaded, nor one whose cloud has no settings.
    assert (found["clouds"], found["upload"]) == (["aws"], True)
    assert (found["registries"], found["push"]) == ("oscontainer,kubevirt", True)
    assert found["publish"] is True
    other = plan(config, "rhel-9.6", "--builds-url", "s3://art/b", "--stream-url", "s3://art/s.json")
    assert (other["builds-url"], other["stream-url"]) == ("s3://art/b", "s3://art/s.json")


def test_a_stream_without_disk_images_takes_the_short_way(config: Path, s3: object) -> None:  # noqa: F811
    found = plan(config, "ocp")
    assert (found["publish"], found["upload"], found["clouds"]) == (False, False, [])
    assert (found["registries"], found["make"]) == ("oscontainer", True)
    assert "skip_disk_images" in found["skip-disk-images"]
    assert plan(config, "none")["clouds"] == []


def test_what_the_bucket_has_whole_is_not_made_again(config: Path, s3: object) -> None:  # noqa: F811
    found = plan(config, "rhel-9.6")
    every = ["ostree", "oci-manifest", "qemu", "metal", "aws", "gcp", "kubevirt", "openstack"]
    push_whole(config, found, every[:-1])
    assert plan(config, "rhel-9.6")["missing"] == ["amd64"]
    push_whole(config, found, every)
    again = plan(config, "rhel-9.6")
    assert (again["missing"], again["make"], again["arches"]) == ([], False, ["amd64"])


def test_a_file_without_a_bucket_is_refused(config: Path, s3: object) -> None:  # noqa: F811
    config.write_text(config.read_text().replace("s3: {", "other: {"))
    done = CliRunner().invoke(bootimg, words_of(config, "rhel-9.6"))
    assert isinstance(done.exception, BootimgError) and done.exception.id == "pipeline-bucket-missing"
