"""A build that every uploader has uploaded: its meta.json, and the release.json that is made of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
from click.testing import CliRunner

from bootimg.builds.meta import MetaFile
from bootimg.cli.main import bootimg
from bootimg.cloud.results import record
from tests.unit.builds.test_meta import BUILD, DATA, make_build
from tests.unit.cloud.test_results import ENTRIES, UPLOADS

TAGS = [f"{BUILD}-kubevirt", "rhel-9.6-kubevirt"]


def uploaded(folder: Path) -> Path:
    """The meta.json of a build with the results of all uploads."""
    meta = MetaFile(make_build(folder) / "meta.json")
    for upload in UPLOADS:
        for each in ENTRIES[upload.meta_key]:
            record(meta, upload, {**each, "tags": TAGS} if upload.meta_key == "kubevirt" else each)
    return meta.path


def release(builds: Path) -> Any:  # noqa: ANN401
    argv = ["stream", "generate", "-o", builds, "--format", "release", "--name", "rhel-9.6",
            "--no-signatures", "--published", "https://example.com"]  # fmt: skip
    done = CliRunner().invoke(bootimg, list(map(str, argv)))
    assert done.exit_code == 0, (done.output, done.exception)
    return json.loads(done.stdout)


def test_the_results_of_all_uploads_fit_together(tmp_path: Path) -> None:
    meta = json.loads(uploaded(tmp_path).read_text())
    assert {each.meta_key for each in UPLOADS} == set(ENTRIES) < set(meta)
    schema = DATA / "meta-v1.schema.json"
    if schema.exists():
        jsonschema.Draft7Validator(json.loads(schema.read_text())).validate(meta)


def test_the_release_has_every_upload_where_coreos_assembler_puts_it(tmp_path: Path) -> None:
    """As `cosa generate-release-meta` (src/cmd-generate-release-meta) translates each key of meta.json."""
    uploaded(tmp_path)
    (arch,) = release(tmp_path)["architectures"].values()
    media = {name: {key: value for key, value in each.items() if key != "artifacts"}
             for name, each in arch["media"].items()}  # fmt: skip
    stored = {place: {"object": "o", "bucket": "b", "url": "https://x"} for place in ("a", "b")}
    assert media == {
        "qemu": {},
        "aws": {"images": {"a": {"image": "ami-a"}, "b": {"image": "ami-b"}}},
        "aliyun": {"images": {"a": {"image": "m-1"}, "b": {"image": "m-1"}}},
        "gcp": {"image": {"name": "x", "project": "p", "family": "f"}},
        "ibmcloud": {"images": stored},
        "powervs": {"images": stored},
        "kubevirt": {"image": {"image": "quay.io/x:rhel-9.6-kubevirt",
                               "digest-ref": f"quay.io/x@sha256:{'a' * 64}"}},
    }  # fmt: skip
    assert arch["rhel-coreos-extensions"] == {
        "azure-disk": {"url": "https://x"}, "aws-winli": {"images": {"a": {"image": "ami-1"}}},
    }  # fmt: skip
