"""`bootimg upload` for IBM Cloud and Power Virtual Server, against moto's S3."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from bootimg.cli.main import bootimg
from bootimg.formats import Compressor
from tests.integration.clouds.ibm.site import HOME, Site
from tests.support.builds.filebuilds import make_file_build
from tests.support.clouds.cloudbuilds import BUILD
from tests.support.clouds.strictcos import ACCESS_KEY, API_KEY, SECRET_KEY
from tests.support.disks import needs_qemu_img
from tests.support.disks import run as program

STORAGE = "https://s3.us-east.cloud-object-storage.appdomain.cloud"


@pytest.mark.parametrize("platform", ["ibmcloud", "powervs"])
def test_the_object_is_the_artifact_and_earlier_regions_stay(platform: str, site: Site) -> None:
    site.platform = platform
    site.build()
    others = [{"region": "eu-de", "object": "x", "bucket": "y", "url": "z"}]
    site.change_meta(**{platform: others, "gcp": {"image": "x", "url": "y"}})
    found = site.run("upload", "-j", 3)[HOME]
    assert found["state"] == "done"
    assert site.stored() == site.artifact().read_bytes()
    entry = {"region": HOME, "object": site.name, "bucket": f"art-{HOME}",
             "url": f"{STORAGE}/art-{HOME}/{site.name}"}  # fmt: skip
    assert found["entry"] == entry
    assert site.entries() == [*others, entry]
    assert site.meta()["gcp"] == {"image": "x", "url": "y"}
    stored = site.cos.objects(f"art-{HOME}")[site.name]
    assert stored.metadata["x-amz-meta-sha256"] == site.meta()["images"][platform]["sha256"]
    assert not site.cos.is_public(f"art-{HOME}", site.name)
    assert site.cos.uploads(f"art-{HOME}") == []


def test_a_second_upload_only_looks(site: Site) -> None:
    site.build().run("upload")
    before, sent = (site.path / "meta.json").read_bytes(), len(site.proxy.requests)
    assert site.run("upload")[HOME]["state"] == "was there"
    assert site.calls == []
    assert {each.method for each in site.proxy.requests[sent:]} == {"HEAD"}
    assert (site.path / "meta.json").read_bytes() == before


def test_without_the_journal_and_the_record_it_is_found_by_name_and_digest(site: Site) -> None:
    site.build().run("upload")
    (entry,) = site.entries()
    site.change_meta(ibmcloud=[])
    (site.path / ".bootimg-upload-ibmcloud.ndjson").unlink()
    assert site.run("upload")[HOME]["state"] == "was there"
    assert site.entries() == [entry]


@needs_qemu_img
def test_a_compressed_artifact_of_a_fetched_build_is_sent_uncompressed(site: Site, tmp_path: Path) -> None:
    make_file_build(site.builds, "ibmcloud", compressor=Compressor.GZIP)
    site.run("upload")
    (tmp_path / "sent.qcow2").write_bytes(site.stored())
    program("qemu-img", "convert", "-O", "raw", tmp_path / "sent.qcow2", tmp_path / "sent.raw")
    assert (tmp_path / "sent.raw").read_bytes() == (tmp_path / "builds-disk.raw").read_bytes()
    metadata = site.cos.objects(f"art-{HOME}")[site.name].metadata
    assert metadata["x-amz-meta-sha256"] == site.meta()["images"]["ibmcloud"]["uncompressed-sha256"]


def test_an_appliance_of_coreos_assembler_keeps_its_compressor(site: Site) -> None:
    """Its entry records the digest of the uncompressed appliance, and does not say that it stays as it is."""
    site.platform = "powervs"
    entry = site.build().meta()["images"]["powervs"]
    site.change_meta(images={"powervs": {"path": entry["path"], "sha256": entry["sha256"],
                                         "size": entry["size"], "uncompressed-sha256": "0" * 64,
                                         "uncompressed-size": 1}})  # fmt: skip
    site.run("upload")
    assert site.stored() == site.artifact().read_bytes()


def test_an_object_of_coreos_assembler_that_meta_json_lists_is_taken(site: Site) -> None:
    site.build().run("upload")
    site.cos.objects(f"art-{HOME}")[site.name].set_metadata({}, replace=True)
    assert site.run("upload")[HOME]["state"] == "was there"


def test_a_dry_run_lists_the_calls_and_makes_none(site: Site) -> None:
    before = sorted(each.name for each in site.build().path.iterdir())
    assert site.run("upload", "--dry-run", "--public")[HOME]["entry"] is None
    parts = -(-site.artifact().stat().st_size // (512 << 10))
    assert site.calls == [
        ("cos:CreateMultipartUpload", 1), ("cos:UploadPart", parts), ("cos:CompleteMultipartUpload", 1),
    ]  # fmt: skip
    assert [each.method for each in site.proxy.requests] == ["HEAD"]
    assert sorted(each.name for each in site.path.iterdir()) == before
    assert site.entries() == []


def test_public_from_the_beginning_or_later(site: Site) -> None:
    site.build().run("upload")
    assert site.run("upload", "--public")[HOME]["state"] == "done"
    assert site.cos.is_public(f"art-{HOME}", site.name)
    assert site.run("upload", "--public")[HOME]["state"] == "was there"
    assert site.retire() == {HOME: "done"}
    site.run("upload", "--public")
    assert site.cos.is_public(f"art-{HOME}", site.name)


def test_the_pipelines_block_as_it_is(site: Site, tmp_path: Path) -> None:
    site.platform = "powervs"
    site.build()
    (tmp_path / "config.yaml").write_text(f"""
streams: {{stable: {{type: production}}}}
clouds:
  powervs:
    cloud_object_storage_service_instance: fedora-coreos-cos-service-instance
    primary_region: {HOME}
    bucket: art
    regions: [{HOME}, au-syd, br-sao]
    endpoint: "{site.proxy.url}/{{region}}"
""")
    site.make_buckets(["au-syd", "br-sao"])
    argv = ["-o", site.builds, "-p", "powervs", "--streams", tmp_path / "config.yaml", "--stream", "stable"]
    for verb in ("upload", "replicate"):
        done = CliRunner().invoke(bootimg, list(map(str, (verb, *argv))))
        assert done.exit_code == 0, done.output
    assert site.entries()[0]["region"] == HOME
    assert {each["bucket"] for each in site.entries()} == {f"art-{HOME}", "art-au-syd", "art-br-sao"}


def test_the_stream_has_the_objects(site: Site) -> None:
    site.platform = "powervs"
    site.build().run("upload")
    argv = ["stream", "generate", "-o", str(site.builds), "--name", "rhel-9.6", "--no-signatures",
            "--published", "https://example.com"]  # fmt: skip
    done = CliRunner().invoke(bootimg, argv)
    assert done.exit_code == 0, (done.output, done.exception)
    regions = json.loads(done.stdout)["architectures"]["ppc64le"]["images"]["powervs"]["regions"]
    (entry,) = site.entries()
    assert regions == {HOME: {"release": BUILD, "object": site.name, "bucket": entry["bucket"],
                              "url": entry["url"]}}  # fmt: skip


def test_keys_for_signatures(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IBM_API_KEY_ID")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    site.build().run("upload")
    assert site.stored() == site.artifact().read_bytes()
    assert site.cos.token_requests == []


def test_the_pipelines_file_with_the_key(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`ibmcloud iam api-key-create --file` writes it; the SDK reads the same key from it."""
    monkeypatch.delenv("IBM_API_KEY_ID")
    document = {"name": "x", "apikey": API_KEY, "iam_auth_endpoint": f"{site.cos.url}/identity/token"}
    (tmp_path / "apikey.json").write_text(json.dumps(document))
    monkeypatch.setenv("COS_CREDENTIALS_FILE", str(tmp_path / "apikey.json"))
    site.build().run("upload")
    assert site.stored() == site.artifact().read_bytes()
