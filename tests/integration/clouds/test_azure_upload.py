"""`bootimg upload` for Azure, against Azurite."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bootimg.disk.extents import FileSource
from bootimg.formats import Compressor
from tests.integration.clouds.azurecommands import BLOB, Storage, each_place, uploaded
from tests.integration.clouds.commands import meta
from tests.support.clouds.cloudbuilds import BUILD, make_cloud_build
from tests.support.disks import needs_qemu_img, run

LOOKS = {"GetBlobProperties", "GetPageRanges"}
MOST_SENT = 1.03
"""Bytes sent for each byte of data."""


def make_build(builds: Path, compressor: Compressor = Compressor.NONE) -> tuple[Path, Path]:
    return make_cloud_build(builds, "azure", compressor=compressor, image_json=None)


@needs_qemu_img
def test_the_blob_is_the_vhd_and_the_disk_in_it_is_the_raw_disk(storage: Storage, tmp_path: Path) -> None:
    path, raw = make_build(tmp_path / "builds")
    found = uploaded(storage, tmp_path / "builds")
    assert found["state"] == "done"
    data = storage.read()
    assert data == next(path.glob("*.vhd")).read_bytes()
    (tmp_path / "sent.vhd").write_bytes(data)
    run("qemu-img", "convert", "-f", "vpc", "-O", "raw", tmp_path / "sent.vhd", tmp_path / "sent.raw")
    assert (tmp_path / "sent.raw").read_bytes() == raw.read_bytes()
    url = f"{storage.proxy.url}/devstoreaccount1/{storage.container}/{BLOB}"
    assert meta(path)["azure"] == found["entry"] == {"image": BLOB, "url": url}
    properties = storage.client().get_blob_properties()
    assert properties.blob_type == "PageBlob"
    token = properties.metadata.pop("bootimg_upload")
    assert len(token) == 36
    assert properties.metadata == {
        "bootimg_sha256": meta(path)["images"]["azure"]["sha256"], "bootimg_build": f"{BUILD}/x86_64",
        "bootimg_state": "complete",
    }  # fmt: skip


def test_little_more_than_the_data_is_sent(storage: Storage, tmp_path: Path) -> None:
    path, _ = make_build(tmp_path / "builds")
    uploaded(storage, tmp_path / "builds")
    with FileSource(next(path.glob("*.vhd"))) as source:
        allocated = sum(each.length for each in source.extents() if each.data)
    assert storage.sent() <= MOST_SENT * allocated
    puts = [each for each in storage.proxy.requests if each.action == "PutPage"]
    assert max(len(each.body) for each in puts) == 4 << 20
    assert storage.sent() == sum(end - start for start, end in storage.ranges())


def test_a_second_upload_changes_nothing(storage: Storage, tmp_path: Path) -> None:
    path, _ = make_build(tmp_path / "builds")
    uploaded(storage, tmp_path / "builds")
    before, sent = (path / "meta.json").read_bytes(), len(storage.proxy.requests)
    assert uploaded(storage, tmp_path / "builds")["state"] == "was there"
    assert (path / "meta.json").read_bytes() == before
    assert {each.action for each in storage.proxy.requests[sent:]} == {"GetBlobProperties"}


def test_without_journal_and_record_it_is_found_by_its_metadata(storage: Storage, tmp_path: Path) -> None:
    path, _ = make_build(tmp_path / "builds")
    entry = uploaded(storage, tmp_path / "builds")["entry"]
    document = meta(path)
    del document["azure"]
    (path / "meta.json").write_text(json.dumps(document))
    (path / ".bootimg-upload-azure.ndjson").unlink()
    sent = storage.sent()
    assert uploaded(storage, tmp_path / "builds")["state"] == "done"
    assert storage.sent() == sent
    assert meta(path)["azure"] == entry


def test_an_upload_of_coreos_assembler_is_there(storage: Storage, tmp_path: Path) -> None:
    """Its blob has no metadata; meta.json lists it."""
    path, _ = make_build(tmp_path / "builds")
    uploaded(storage, tmp_path / "builds")
    storage.client().set_blob_metadata({})
    (path / ".bootimg-upload-azure.ndjson").unlink()
    assert uploaded(storage, tmp_path / "builds")["state"] == "was there"


@pytest.mark.parametrize("compressor", [Compressor.GZIP, Compressor.ZSTD])
def test_a_compressed_artifact_of_a_fetched_build(
    compressor: Compressor, storage: Storage, tmp_path: Path
) -> None:
    path, raw = make_build(tmp_path / "builds", compressor)
    uploaded(storage, tmp_path / "builds")
    assert storage.read()[: raw.stat().st_size] == raw.read_bytes()
    digest = meta(path)["images"]["azure"]["uncompressed-sha256"]
    assert storage.client().get_blob_properties().metadata["bootimg_sha256"] == digest


def test_a_dry_run_lists_the_calls_and_makes_none(storage: Storage, tmp_path: Path) -> None:
    path, _ = make_build(tmp_path / "builds")
    before = sorted(each.name for each in path.iterdir())
    found = each_place("upload", tmp_path / "builds", (*storage.words, "--dry-run"))
    assert [each["state"] for each in found.values()] == ["would be done"]
    assert {each.action for each in storage.proxy.requests} <= LOOKS
    assert (storage.names(), sorted(each.name for each in path.iterdir())) == ([], before)


def test_settings_of_the_streams_file(storage: Storage, tmp_path: Path) -> None:
    path, _ = make_build(tmp_path / "builds")
    (tmp_path / "config.yaml").write_text(f"""
streams: {{stable: {{type: production}}}}
clouds:
  azure:
    resource_group: os4-common
    storage_account: devstoreaccount1
    storage_container: {storage.container}
    test_resource_group: kola
""")
    words = ("-p", "azure", "--streams", tmp_path / "config.yaml", "--stream", "stable")
    assert list(each_place("upload", tmp_path / "builds", words)) == [f"devstoreaccount1/{storage.container}"]
    assert meta(path)["azure"]["image"] == BLOB
