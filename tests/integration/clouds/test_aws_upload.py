"""`bootimg upload` for AWS, against moto's server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bootimg.formats import Compressor
from tests.integration.clouds.commands import HOME, failing, meta, run, upload
from tests.support.clouds.cloudbuilds import BUILD, make_aws_build
from tests.support.clouds.faultproxy import Proxy
from tests.support.clouds.strictaws import StrictAws

NAME = f"rhcos-{BUILD}-x86_64"


def test_the_snapshot_is_the_disk_and_the_image_has_the_attributes(
    aws: StrictAws, proxy: Proxy, tmp_path: Path
) -> None:
    path, raw = make_aws_build(tmp_path / "builds")
    found = upload(tmp_path / "builds", "--grant", "013116697141", "--tag", "FedoraGroup=coreos", "--public")
    (place,) = found["places"]
    assert place["state"] == "done"
    (image,), (entry,) = aws.images(HOME), meta(path)["amis"]
    assert entry == {"name": HOME, "hvm": image.id, "snapshot": place["entry"]["snapshot"]}
    data = raw.read_bytes()
    assert aws.disk(HOME, entry["snapshot"], len(data)) == data
    used = {at >> 19 for at in range(0, len(data), 1 << 19) if any(data[at : at + (1 << 19)])}
    assert aws.blocks(HOME, entry["snapshot"]) == used
    assert proxy.count("PutSnapshotBlock") == len(used)
    (request,) = aws.registered
    tags = request.pop("TagSpecifications")
    assert request == {
        "Name": NAME, "Description": f"rhcos {BUILD} x86_64", "Architecture": "x86_64",
        "VirtualizationType": "hvm", "RootDeviceName": "/dev/xvda", "EnaSupport": True,
        "SriovNetSupport": "simple", "BootMode": "legacy-bios", "ImdsSupport": "v2.0",
        "BlockDeviceMappings": [
            {"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": entry["snapshot"], "VolumeSize": 1,
                                               "DeleteOnTermination": True, "VolumeType": "gp3"}},
            {"DeviceName": "/dev/xvdb", "VirtualName": "ephemeral0"},
        ],
    }  # fmt: skip
    wanted = {"Name": NAME, "FedoraGroup": "coreos", "bootimg:build": f"{BUILD}/x86_64",
              "bootimg:sha256": meta(path)["images"]["aws"]["sha256"]}  # fmt: skip
    assert {each["Key"]: each["Value"] for each in tags[0]["Tags"]} == wanted
    (snapshot,) = aws.snapshots(HOME)
    assert {each["key"]: each["value"] for each in snapshot.get_tags()} == wanted
    permissions = [{"UserId": "013116697141"}, {"Group": "all"}]
    assert image.launch_permissions == permissions
    assert snapshot.create_volume_permission_userids == {"013116697141"}
    assert snapshot.create_volume_permission_groups == {"all"}


def test_a_second_upload_changes_nothing(aws: StrictAws, proxy: Proxy, tmp_path: Path) -> None:
    path, _ = make_aws_build(tmp_path / "builds")
    upload(tmp_path / "builds", "--public")
    before = (path / "meta.json").read_bytes()
    sent = len(proxy.requests)
    found = upload(tmp_path / "builds", "--public")
    assert found["places"][0]["state"] == "was there"
    assert not found["calls"]
    assert (path / "meta.json").read_bytes() == before
    assert all(each.action.startswith("Describe") for each in proxy.requests[sent:])


def test_without_the_journal_and_the_record_it_is_found_by_name_and_tag(
    aws: StrictAws, proxy: Proxy, tmp_path: Path
) -> None:
    path, _ = make_aws_build(tmp_path / "builds")
    upload(tmp_path / "builds")
    entry = meta(path).pop("amis")[0]
    (path / "meta.json").write_text(json.dumps({**meta(path), "amis": []}))
    (path / ".bootimg-upload-aws.ndjson").unlink()
    assert upload(tmp_path / "builds")["places"][0]["entry"] == entry
    assert len(aws.registered) == 1
    # The snapshot alone is found too.
    del aws.images(HOME)[0].ec2_backend.amis[entry["hvm"]]
    found = upload(tmp_path / "builds")["places"][0]["entry"]
    assert found["snapshot"] == entry["snapshot"]
    assert found["hvm"] != entry["hvm"]
    assert meta(path)["amis"] == [found]


@pytest.mark.parametrize("compressor", [Compressor.GZIP, Compressor.ZSTD])
def test_a_compressed_artifact_of_a_fetched_build(
    compressor: Compressor, aws: StrictAws, proxy: Proxy, tmp_path: Path
) -> None:
    path, raw = make_aws_build(tmp_path / "builds", compressor=compressor)
    entry = upload(tmp_path / "builds")["places"][0]["entry"]
    assert aws.disk(HOME, entry["snapshot"], raw.stat().st_size) == raw.read_bytes()
    tags = {each["Key"]: each["Value"] for each in aws.registered[0]["TagSpecifications"][0]["Tags"]}
    assert tags["bootimg:sha256"] == meta(path)["images"]["aws"]["uncompressed-sha256"]


def test_a_dry_run_lists_the_calls_and_makes_none(aws: StrictAws, proxy: Proxy, tmp_path: Path) -> None:
    path, _ = make_aws_build(tmp_path / "builds")
    before = sorted(each.name for each in path.iterdir())
    found = upload(tmp_path / "builds", "--dry-run", "--public")
    assert [(each["operation"], each["times"]) for each in found["calls"]] == [
        ("ebs:StartSnapshot", 1), ("ebs:PutSnapshotBlock", 14), ("ebs:CompleteSnapshot", 1),
        ("ec2:RegisterImage", 1), ("ec2:ModifySnapshotAttribute", 1), ("ec2:ModifyImageAttribute", 1),
    ]  # fmt: skip
    assert all(each.action.startswith("Describe") for each in proxy.requests)
    assert sorted(each.name for each in path.iterdir()) == before
    assert "amis" not in meta(path)
    dry = {each["operation"]: each["parameters"] for each in found["calls"]}
    upload(tmp_path / "builds", "--public")
    sent = {
        key: value for key, value in aws.registered[0].items() if key not in ("Action", "BlockDeviceMappings")
    }
    assert {key: dry["ec2:RegisterImage"][key] for key in sent} == sent


def test_the_image_with_a_licence_of_windows_has_the_same_snapshot(
    aws: StrictAws, proxy: Proxy, tmp_path: Path
) -> None:
    path, _ = make_aws_build(tmp_path / "builds")
    plain = upload(tmp_path / "builds")["places"][0]["entry"]
    words = ("--variant", "aws-winli", "--set", "winli_billing_code=bp-6ba54002")
    entry = upload(tmp_path / "builds", *words)["places"][0]["entry"]
    assert entry["snapshot"] == plain["snapshot"]
    assert entry["hvm"] != plain["hvm"]
    assert meta(path)["aws-winli"] == [entry]
    assert meta(path)["amis"] == [plain]
    request = aws.registered[1]
    assert request["BillingProducts"] == ["bp-6ba54002"]
    assert request["Name"] == f"rhcos-winli-{BUILD}-x86_64"
    assert request["Description"].endswith(" Windows License Included")


def test_settings_of_the_streams_file_and_an_account(aws: StrictAws, proxy: Proxy, tmp_path: Path) -> None:
    path, _ = make_aws_build(tmp_path / "builds")
    (tmp_path / "config.yaml").write_text("""
streams: {stable: {type: production}, raw: {skip_cloud_uploads: true}}
clouds:
  aws:
    primary_region: eu-west-1
    grant_users: ["013116697141"]
    tags: ["Stream=${STREAM}"]
    public: false
    govcloud: {primary_region: us-gov-west-1}
""")
    words = ("-p", "aws", "--streams", tmp_path / "config.yaml", "--stream")
    run("upload", tmp_path / "builds", *words, "stable", "--tag", "Own=1")
    assert [each["name"] for each in meta(path)["amis"]] == ["eu-west-1"]
    tags = {each["Key"]: each["Value"] for each in aws.registered[0]["TagSpecifications"][0]["Tags"]}
    assert "Stream" not in tags
    assert tags["Own"] == "1"
    run("upload", tmp_path / "builds", *words, "stable", "--account", "govcloud")
    assert [each["name"] for each in meta(path)["amis"]] == ["eu-west-1", "us-gov-west-1"]
    sent = len(proxy.requests)
    assert run("upload", tmp_path / "builds", *words, "raw")["uploads"] == []
    assert len(proxy.requests) == sent
    error = failing("upload", tmp_path / "builds", *words, "stable", "--account", "china")
    assert error.id == "cloud-setting-missing"


def test_two_clouds_regions_are_merged_with_what_others_wrote(
    aws: StrictAws, proxy: Proxy, tmp_path: Path
) -> None:
    path, _ = make_aws_build(tmp_path / "builds")
    others = [{"name": "eu-west-1", "hvm": "ami-1", "snapshot": "snap-1"}]
    document = {**meta(path), "amis": others, "gcp": {"image": "x", "url": "y"}}
    (path / "meta.json").write_text(json.dumps(document))
    entry = upload(tmp_path / "builds")["places"][0]["entry"]
    after = meta(path)
    assert after["amis"] == [*others, entry]
    assert after["gcp"] == document["gcp"]
    assert after["coreos-assembler.meta-stamp"] > 0
