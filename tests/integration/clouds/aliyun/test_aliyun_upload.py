"""`bootimg upload` for Alibaba Cloud."""

from __future__ import annotations

from tests.integration.clouds.aliyun.site import KEY, NAME, Site
from tests.support.clouds.cloudbuilds import BUILD
from tests.support.clouds.strictaliyun import HOME


def test_the_imported_file_is_the_artifact_and_earlier_regions_stay(site: Site) -> None:
    others = [{"name": "eu-central-1", "id": "m-0"}]
    site.build().change_meta(aliyun=others, gcp={"image": "x", "url": "y"})
    found = site.run("upload", "--tag", "FedoraGroup=coreos", "-j", 3)[HOME]
    image = site.aliyun.only()
    assert found["entry"] == {"name": HOME, "id": image["ImageId"]}
    assert site.entries() == [*others, found["entry"]]
    assert site.meta()["gcp"] == {"image": "x", "url": "y"}
    (request,) = site.aliyun.imports
    assert request.pop("Data") == site.artifact().read_bytes()
    assert request.pop("ClientToken")
    assert request.pop("Tag")
    assert request == {
        "RegionId": HOME, "ImageName": NAME, "Description": f"rhcos {BUILD}", "Architecture": "x86_64",
        "DiskDeviceMapping": [{"Format": "qcow2", "OSSBucket": "art", "OSSObject": KEY,
                               "DiskImageSize": 1, "Device": "/dev/xvda"}],
    }  # fmt: skip
    assert site.aliyun.tags() == {
        "FedoraGroup": "coreos", "bootimg:build": f"{BUILD}/x86_64",
        "bootimg:sha256": site.meta()["images"]["aliyun"]["sha256"],
    }  # fmt: skip
    assert (site.aliyun.keys("art"), site.aliyun.uploads("art")) == ([], [])
    assert image["IsPublic"] is False


def test_a_second_upload_only_looks(site: Site) -> None:
    site.build().run("upload", "--public")
    sent = len(site.proxy.requests)
    assert site.aliyun.only()["IsPublic"] is True
    assert site.run("upload", "--public")[HOME]["state"] == "was there"
    assert site.calls == []
    assert len(site.proxy.requests) == sent + 1
    (site.path / ".bootimg-upload-aliyun.ndjson").unlink()
    entries = site.entries()
    site.change_meta(aliyun=[])
    assert site.run("upload")[HOME]["state"] == "was there"
    assert site.entries() == entries


def test_a_dry_run_lists_the_calls_and_makes_none(site: Site) -> None:
    before = sorted(each.name for each in site.build().path.iterdir())
    site.run("upload", "--dry-run", "--public")
    parts = -(-site.artifact().stat().st_size // (512 << 10))
    assert site.calls == [
        ("oss:InitiateMultipartUpload", 1), ("oss:UploadPart", parts), ("oss:CompleteMultipartUpload", 1),
        ("ecs:ImportImage", 1), ("oss:DeleteObject", 1), ("ecs:ModifyImageSharePermission", 1),
    ]  # fmt: skip
    assert site.aliyun.images == {}
    assert sorted(each.name for each in site.path.iterdir()) == before
