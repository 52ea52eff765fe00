"""`bootimg upload --via s3`: the artifact in a bucket, imported by AWS."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import boto3
import pytest
from bootimg_uploaders.aws import importing, objects

from tests.integration.clouds.commands import HOME, failure, meta, upload
from tests.support.clouds.cloudbuilds import BUILD, make_aws_build
from tests.support.clouds.faultproxy import DENIED, Fault, Proxy, Request
from tests.support.clouds.strictaws import StrictAws
from tests.support.disks import needs_qemu_img
from tests.support.disks import run as program

VIA = ("--via", "s3", "--bucket", "art/ami-import")
KEY = f"ami-import/rhcos-{BUILD}-aws.x86_64.vmdk"
PART = 256 << 10


@pytest.fixture
def s3(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> Any:  # noqa: ANN401
    """A client of a server with the bucket `art`; parts are small, and imports are looked at often."""
    monkeypatch.setattr(objects, "_PART", PART)
    monkeypatch.setattr(importing, "_EVERY", 0.1)
    monkeypatch.setattr("moto.settings.S3_UPLOAD_PART_MIN_SIZE", 1)
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 1, raising=False)
    client = boto3.client("s3", region_name=HOME)
    client.create_bucket(Bucket="art")
    return client


def keys(s3: Any) -> list[str]:  # noqa: ANN401
    return [each["Key"] for each in s3.list_objects_v2(Bucket="art").get("Contents", [])]


@needs_qemu_img
def test_the_imported_file_is_the_disk(aws: StrictAws, s3: Any, tmp_path: Path) -> None:  # noqa: ANN401
    path, raw = make_aws_build(tmp_path / "builds")
    entry = upload(tmp_path / "builds", *VIA)["places"][0]["entry"]
    (request,) = aws.imports
    assert (request["RoleName"], request["Description"]) == ("vmimport", f"rhcos-{BUILD}-x86_64")
    assert request["DiskContainer"]["Format"] == "VMDK"
    (tmp_path / "sent.vmdk").write_bytes(request["Data"])
    program("qemu-img", "convert", "-O", "raw", tmp_path / "sent.vmdk", tmp_path / "sent.raw")
    assert (tmp_path / "sent.raw").read_bytes() == raw.read_bytes()
    assert meta(path)["amis"] == [entry]
    assert keys(s3) == []
    (snapshot,) = aws.snapshots(HOME)
    tags = {each["key"]: each["value"] for each in snapshot.get_tags()}
    assert tags["bootimg:sha256"] == meta(path)["images"]["aws"]["sha256"]
    assert upload(tmp_path / "builds", *VIA)["places"][0]["state"] == "was there"


def test_a_running_import_is_waited_for(aws: StrictAws, proxy: Proxy, s3: Any, tmp_path: Path) -> None:  # noqa: ANN401
    make_aws_build(tmp_path / "builds")

    def plan(request: Request) -> Fault | None:
        return DENIED if request.action == "DescribeImportSnapshotTasks" and aws.tasks else None

    proxy.plan = plan
    assert failure(tmp_path / "builds", *VIA)["id"] == "cloud-permission-missing"
    proxy.plan = lambda request: None
    sent = len(proxy.requests)
    upload(tmp_path / "builds", *VIA)
    assert len(aws.imports) == 1
    assert not any(each.method == "PUT" for each in proxy.requests[sent:])


def test_an_import_that_aws_gives_up_starts_anew_from_the_same_object(
    aws: StrictAws,
    proxy: Proxy,
    s3: Any,  # noqa: ANN401
    tmp_path: Path,
) -> None:
    make_aws_build(tmp_path / "builds")
    aws.import_states = ["active", "deleted"]
    error = failure(tmp_path / "builds", *VIA)
    assert error["id"] == "cloud-image-failed"
    assert error["context"] == ["ClientError: the disk is no VMDK"]
    assert keys(s3) == [KEY]
    aws.import_states, sent = ["completed"], len(proxy.requests)
    upload(tmp_path / "builds", *VIA)
    assert len(aws.imports) == 2
    assert not any("uploadId" in each.path for each in proxy.requests[sent:])


def test_an_interrupted_transfer_sends_only_the_missing_parts(
    aws: StrictAws,
    proxy: Proxy,
    s3: Any,  # noqa: ANN401
    tmp_path: Path,
) -> None:
    path, _ = make_aws_build(tmp_path / "builds")
    parts = -(-meta(path)["images"]["aws"]["size"] // PART)
    proxy.plan = lambda request: Fault(403) if "partNumber=4" in request.path else None
    assert failure(tmp_path / "builds", *VIA, "-j", "1")["id"] == "cloud-permission-missing"
    proxy.plan = lambda request: None
    sent = len(proxy.requests)
    upload(tmp_path / "builds", *VIA, "-j", "1")
    assert sum("partNumber" in each.path for each in proxy.requests[sent:]) == parts - 3
    (tmp_path / "file").write_bytes(aws.imports[0]["Data"])
    assert (tmp_path / "file").read_bytes() == next(path.glob("*.vmdk")).read_bytes()


def test_a_dry_run_lists_all_calls_of_an_import(
    aws: StrictAws,
    proxy: Proxy,
    s3: Any,  # noqa: ANN401
    tmp_path: Path,
) -> None:
    make_aws_build(tmp_path / "builds")
    found = upload(tmp_path / "builds", *VIA, "--dry-run")
    assert [each["operation"] for each in found["calls"]] == [
        "s3:CreateMultipartUpload", "s3:UploadPart", "s3:CompleteMultipartUpload", "ec2:ImportSnapshot",
        "ec2:CreateTags", "s3:DeleteObject", "ec2:RegisterImage",
    ]  # fmt: skip
    assert (keys(s3), aws.imports, aws.registered) == ([], [], [])


def test_a_bucket_that_does_not_exist(aws: StrictAws, s3: Any, tmp_path: Path) -> None:  # noqa: ANN401
    make_aws_build(tmp_path / "builds")
    error = failure(tmp_path / "builds", "--via", "s3", "--bucket", "nobodys")
    assert error["id"] == "cloud-bucket-missing"
    assert failure(tmp_path / "builds", "--via", "s3")["id"] == "cloud-setting-missing"
