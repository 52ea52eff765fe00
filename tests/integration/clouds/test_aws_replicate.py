"""`bootimg replicate` for AWS: copies in many regions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from bootimg.cli.main import bootimg
from bootimg.errors import ExitCode
from tests.integration.clouds.commands import HOME, failing, meta, places, run, upload
from tests.support.clouds.cloudbuilds import BUILD, make_aws_build
from tests.support.clouds.faultproxy import Proxy
from tests.support.clouds.strictaws import StrictAmi, StrictAws

REGIONS = [
    "af-south-1", "ap-east-1", "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1",
    "ap-south-2", "ap-southeast-1", "ap-southeast-2", "ap-southeast-3", "ap-southeast-4", "ap-southeast-5",
    "ap-southeast-7", "ca-central-1", "ca-west-1", "eu-central-1", "eu-central-2", "eu-north-1", "eu-south-1",
    "eu-south-2", "eu-west-1", "eu-west-2", "eu-west-3", "il-central-1", "me-central-1", "mx-central-1",
    "sa-east-1", "us-east-2", "us-west-1", "us-west-2",
]  # fmt: skip
FAILING = dict(zip(REGIONS[3:8], ("OptInRequired", "UnauthorizedOperation", "InvalidRequest",
                                  "SnapshotLimitExceeded", "Blocked"), strict=True))  # fmt: skip


def test_of_30_regions_5_fail_and_a_second_run_does_only_these(
    aws: StrictAws, proxy: Proxy, tmp_path: Path
) -> None:
    path, _ = make_aws_build(tmp_path / "builds")
    upload(tmp_path / "builds", "--grant", "013116697141", "--tag", "FedoraGroup=coreos")
    aws.failing = dict(FAILING)
    words = ("--region", ",".join(REGIONS))
    found = places("replicate", tmp_path / "builds", *words, code=ExitCode.PARTIAL)
    assert set(found) == set(REGIONS)
    failed = {region: each["error"]["id"] for region, each in found.items() if each["error"]}
    assert failed == {
        region: {"OptInRequired": "cloud-credentials-refused", "Blocked": "cloud-credentials-refused",
                 "UnauthorizedOperation": "cloud-permission-missing"}.get(code, "cloud-request-failed")
        for region, code in FAILING.items()
    }  # fmt: skip
    recorded = {each["name"]: each for each in meta(path)["amis"]}
    assert set(recorded) == {HOME, *REGIONS} - set(FAILING)
    assert len(aws.copies) == 25
    aws.failing = {}
    found = places("replicate", tmp_path / "builds", *words)
    assert set(found) == set(FAILING)
    assert len(aws.copies) == 30
    after = {each["name"]: each for each in meta(path)["amis"]}
    assert set(after) == {HOME, *REGIONS}
    assert {name: after[name] for name in recorded} == recorded
    for region in REGIONS:
        (image,) = aws.images(region)
        (snapshot,) = aws.snapshots(region)
        assert after[region] == {"name": region, "hvm": image.id, "snapshot": snapshot.id}
        assert image.launch_permissions == [{"UserId": "013116697141"}]
        assert snapshot.create_volume_permission_userids == {"013116697141"}
        for thing in (image, snapshot):
            assert {each["key"]: each["value"] for each in thing.get_tags()}["FedoraGroup"] == "coreos"
    assert places("replicate", tmp_path / "builds", *words) == {}


def test_the_release_and_the_stream_have_the_images(aws: StrictAws, proxy: Proxy, tmp_path: Path) -> None:
    path, _ = make_aws_build(tmp_path / "builds")
    upload(tmp_path / "builds")
    upload(tmp_path / "builds", "--variant", "aws-winli", "--set", "winli_billing_code=bp-1")
    places("replicate", tmp_path / "builds", "--region", "eu-west-1")
    argv = ["stream", "generate", "-o", tmp_path / "builds", "--name", "rhel-9.6", "--no-signatures",
            "--published", "https://example.com"]  # fmt: skip
    done = CliRunner().invoke(bootimg, list(map(str, argv)))
    assert done.exit_code == 0, (done.output, done.exception)
    found = json.loads(done.stdout)["architectures"]["x86_64"]
    regions = {name: each["image"] for name, each in found["images"]["aws"]["regions"].items()}
    assert regions == {each["name"]: each["hvm"] for each in meta(path)["amis"]}
    windows = found["rhel-coreos-extensions"]["aws-winli"]["regions"]
    assert windows[HOME]["image"] == meta(path)["aws-winli"][0]["hvm"]


def test_without_regions_it_copies_to_all_enabled_but_the_skipped(
    aws: StrictAws, proxy: Proxy, tmp_path: Path
) -> None:
    make_aws_build(tmp_path / "builds")
    upload(tmp_path / "builds")
    (tmp_path / "config.yaml").write_text("""
streams: {stable: {}}
clouds: {aws: {primary_region: us-east-1, skipped_regions: [me-south-1, me-central-1, eu-west-1]}}
""")
    words = ("--streams", tmp_path / "config.yaml", "--stream", "stable", "--dry-run")
    found = set(places("replicate", tmp_path / "builds", *words))
    assert {"eu-central-1", "us-west-2"} < found
    assert not {"eu-west-1", "me-central-1", HOME} & found
    assert not any(each.startswith(("us-gov-", "cn-")) for each in found)
    assert aws.copies == []


def unrecorded_copy(aws: StrictAws, builds: Path) -> StrictAmi:
    """A copy in eu-west-1 of a build that records only the image of the home region."""
    path, _ = make_aws_build(builds)
    upload(builds)
    places("replicate", builds, "--region", "eu-west-1")
    document = meta(path)
    document["amis"] = document["amis"][:1]
    (path / "meta.json").write_text(json.dumps(document))
    (image,) = aws.images("eu-west-1")
    return image


def test_a_copy_that_an_earlier_run_began_is_waited_for(aws: StrictAws, proxy: Proxy, tmp_path: Path) -> None:
    image = unrecorded_copy(aws, tmp_path / "builds")
    image.pending = 3
    found = places("replicate", tmp_path / "builds", "--region", "eu-west-1")
    assert found["eu-west-1"]["entry"]["hvm"] == image.id
    assert len(aws.copies) == 1
    assert image.pending == 0


def test_a_copy_of_the_same_name_that_is_not_ours(aws: StrictAws, proxy: Proxy, tmp_path: Path) -> None:
    image = unrecorded_copy(aws, tmp_path / "builds")
    image.add_tags({"bootimg:sha256": "0" * 64})
    words = ("--region", "eu-west-1,eu-west-2")
    found = places("replicate", tmp_path / "builds", *words, code=ExitCode.PARTIAL)
    assert found["eu-west-1"]["error"]["id"] == "cloud-image-foreign"
    assert image.id in found["eu-west-1"]["error"]["message"]
    assert found["eu-west-2"]["state"] == "done"


def test_an_upload_of_coreos_assembler_is_copied_too(aws: StrictAws, proxy: Proxy, tmp_path: Path) -> None:
    path, _ = make_aws_build(tmp_path / "builds")
    upload(tmp_path / "builds")
    for thing in (aws.images(HOME)[0], aws.snapshots(HOME)[0]):
        thing.ec2_backend.delete_tags([thing.id], {"bootimg:sha256": None, "bootimg:build": None})
    (path / ".bootimg-upload-aws.ndjson").unlink()
    places("replicate", tmp_path / "builds", "--region", "eu-west-1")
    assert [each["name"] for each in meta(path)["amis"]] == [HOME, "eu-west-1"]


def test_the_images_with_a_licence_of_windows_are_copied_under_their_key(
    aws: StrictAws, proxy: Proxy, tmp_path: Path
) -> None:
    path, _ = make_aws_build(tmp_path / "builds")
    upload(tmp_path / "builds")
    upload(tmp_path / "builds", "--variant", "aws-winli", "--set", "winli_billing_code=bp-1")
    places("replicate", tmp_path / "builds", "--variant", "aws-winli", "--region", "eu-west-1")
    assert [each["name"] for each in meta(path)["aws-winli"]] == [HOME, "eu-west-1"]
    assert [each["name"] for each in meta(path)["amis"]] == [HOME]
    assert aws.copies[0]["Name"] == f"rhcos-winli-{BUILD}-x86_64"


def test_another_partition_and_a_build_that_was_not_uploaded(
    aws: StrictAws, proxy: Proxy, tmp_path: Path
) -> None:
    make_aws_build(tmp_path / "builds")
    words = ("-p", "aws", "--region", "us-gov-west-1")
    assert failing("replicate", tmp_path / "builds", *words).id == "cloud-nothing-uploaded"
    upload(tmp_path / "builds")
    error = failing("replicate", tmp_path / "builds", *words)
    assert error.id == "cloud-setting-invalid"
    assert "partition" in error.message
    error = failing("replicate", tmp_path / "builds", "-p", "aws", "--set", "primary_region=us-gov-east-1")
    assert error.id == "cloud-nothing-uploaded"


@pytest.mark.parametrize("state", ["failed", "error"])
def test_a_copy_that_aws_gives_up_is_named(state: str, aws: StrictAws, proxy: Proxy, tmp_path: Path) -> None:
    make_aws_build(tmp_path / "builds")
    upload(tmp_path / "builds")
    places("replicate", tmp_path / "builds", "--region", "eu-west-1", "--dry-run")

    def plan(request: object) -> None:
        for image in aws.images("eu-west-1"):
            image.state = state

    proxy.plan = plan
    done = run("replicate", tmp_path / "builds", "-p", "aws", "--region", "eu-west-1", code=1)
    error = done["uploads"][0]["places"][0]["error"]
    assert error["id"] == "cloud-image-failed"
    assert aws.images("eu-west-1")[0].id in error["message"]
