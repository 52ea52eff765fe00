"""Results in meta.json, in the form that a platform's upload declares; the plugins' registry."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bootimg.builds.meta import MetaFile
from bootimg.cloud.registry import find_uploader, uploader_of
from bootimg.cloud.results import entries_of, record
from bootimg.cloud.task import Uploader
from bootimg.cloud.verbs import Verb
from bootimg.errors import BootimgError
from bootimg.platform import Platform, Upload, UploadForm, platforms, upload_places
from tests.unit.builds.test_meta import DATA, make_build

ENTRIES: dict[str, list[dict[str, str]]] = {
    "amis": [{"name": name, "hvm": f"ami-{name}", "snapshot": "snap-1"} for name in ("a", "b")],
    "aws-winli": [{"name": "a", "hvm": "ami-1", "snapshot": "snap-1"}],
    "aliyun": [{"name": name, "id": "m-1"} for name in ("a", "b")],
    "gcp": [
        {"image": "x", "url": "https://x", "project": "p"},
        {"image": "x", "url": "https://x", "family": "f"},
    ],
    "azure": [{"url": "https://x", "image": "x"}],
    "ibmcloud": [{"region": name, "object": "o", "bucket": "b", "url": "https://x"} for name in ("a", "b")],
    "powervs": [{"region": name, "object": "o", "bucket": "b", "url": "https://x"} for name in ("a", "b")],
    "kubevirt": [{"image": "quay.io/x", "digest": f"sha256:{'a' * 64}"}],
}
UPLOADS = [each for platform in platforms().values() for each in platform.uploads]


@pytest.mark.parametrize("upload", UPLOADS, ids=lambda each: each.meta_key)
def test_every_upload_s_results_are_merged_in_the_schema_s_form(upload: Upload, tmp_path: Path) -> None:
    path = make_build(tmp_path)
    meta, entries = MetaFile(path / "meta.json"), ENTRIES[upload.meta_key]
    for each in entries:
        record(meta, upload, each)
    found = meta.read()[upload.meta_key]
    if upload.form.place_field is None:
        assert found == {key: value for each in entries for key, value in each.items()}
    else:
        assert found == entries
        record(meta, upload, {**entries[0], upload.fields[-1]: "other"})
        assert meta.read()[upload.meta_key] == [{**entries[0], upload.fields[-1]: "other"}, *entries[1:]]
    assert entries_of(meta.read(), upload, "x")
    schema = DATA / "meta-v1.schema.json"
    if schema.exists():
        jsonschema.Draft7Validator(json.loads(schema.read_text())).validate(meta.read())


def test_a_result_without_a_field_and_an_entry_without_one(tmp_path: Path) -> None:
    meta = MetaFile(make_build(tmp_path) / "meta.json")
    upload = Upload("amis", UploadForm.REGION_IMAGES, "hvm")
    with pytest.raises(BootimgError) as error:
        record(meta, upload, {"name": "a"})
    assert error.value.id == "uploader-broken"
    assert "amis" not in meta.read()
    for value in ([{"name": "a"}], [1], "x", [{"name": 1, "hvm": "x"}]):
        with pytest.raises(BootimgError) as error:
            entries_of({"amis": value}, upload, "meta.json")
        assert error.value.id == "build-meta-malformed"


def test_the_lists_that_are_merged_by_region_are_those_of_the_platforms() -> None:
    assert upload_places() == {
        "amis": "name", "aws-winli": "name", "aliyun": "name", "ibmcloud": "region", "powervs": "region",
    }  # fmt: skip


def test_each_platform_s_uploader_is_installed_and_imports_no_sdk() -> None:
    named = [each for each in platforms().values() if each.uploader]
    assert named
    for platform in named:
        uploader = uploader_of(platform)
        # Containers are pushed as lists over architectures, by `upload --registry`.
        containers = all(each.form is UploadForm.CONTAINER for each in platform.uploads)
        assert (Verb.RETIRE if containers else Verb.UPLOAD) in uploader.verbs
        assert platform.uploads


def test_a_platform_without_an_uploader() -> None:
    for name, changes in (("qemu", {}), ("aws", {"uploader": "nowhere"})):
        platform = platforms()[name]
        fields = {key: getattr(platform, key) for key in platform.__dataclass_fields__}
        with pytest.raises(BootimgError) as error:
            uploader_of(Platform(**{**fields, **changes}))
        assert error.value.id == "uploader-missing"


@pytest.mark.parametrize(
    ("text", "why"),
    [("UPLOADER = 1", "not an Uploader"), ("import nonexistent", "No module"), ("x = 1", "AttributeError")],
)
def test_a_broken_plugin_says_whose_fault_it_is(
    text: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin(tmp_path, monkeypatch, f"broken_{abs(hash(text))}", text)
    with pytest.raises(BootimgError) as error:
        find_uploader(f"broken_{abs(hash(text))}")
    assert error.value.id == "uploader-broken"
    assert why in error.value.context[0]


def test_a_plugin_of_another_package_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = """
from bootimg.cloud.plugin import Uploader
UPLOADER = Uploader(name="thirdcloud", summary="x", extra="x", settings={}, verbs={})
"""
    plugin(tmp_path, monkeypatch, "thirdcloud", text)
    found: Any = find_uploader("thirdcloud")
    assert isinstance(found, Uploader)


def plugin(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    """An installed package with an uploader."""
    (folder / f"{name}.py").write_text(text)
    info = folder / f"{name}-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[bootimg.uploaders]\n{name} = {name}:UPLOADER\n")
    monkeypatch.syspath_prepend(str(folder))
