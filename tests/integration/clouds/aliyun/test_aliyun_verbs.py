"""`bootimg replicate`, `publish`, `share`, `deprecate` and retiring for Alibaba Cloud."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from bootimg.cli.main import bootimg
from bootimg.errors import ExitCode
from tests.integration.clouds.aliyun.site import Site
from tests.support.clouds.strictaliyun import HOME

OTHER = "eu-central-1"
REGIONS = [f"{place}-{number}" for place in ("eu", "ap", "us", "cn", "me", "na") for number in range(5)]
FAILING = dict.fromkeys(REGIONS[3:7], "InvalidRegionId") | {REGIONS[20]: "Forbidden.RAM"}


def test_of_30_regions_5_fail_and_a_second_run_does_only_these(site: Site) -> None:
    site.build().run("upload", "--public", "--tag", "FedoraGroup=coreos")
    site.aliyun.failing = dict(FAILING)
    words = ("--region", ",".join(REGIONS), "--set", "tags=FedoraGroup=coreos")
    found = site.run("replicate", *words, code=ExitCode.PARTIAL)
    failed = {region: each["error"]["id"] for region, each in found.items() if each["error"]}
    assert failed == {
        region: "cloud-permission-missing" if code == "Forbidden.RAM" else "cloud-request-failed"
        for region, code in FAILING.items()
    }
    recorded = site.entries()
    assert {each["name"] for each in recorded} == {HOME, *REGIONS} - set(FAILING)
    site.aliyun.failing = {}
    assert set(site.run("replicate", *words)) == set(FAILING)
    after = site.entries()
    assert after[: len(recorded)] == recorded
    assert {each["name"]: each["id"] for each in after} == {
        region: site.aliyun.only(region)["ImageId"] for region in (HOME, *REGIONS)
    }
    for region in REGIONS:
        assert site.aliyun.only(region)["IsPublic"] is True
        assert site.aliyun.tags(region) == site.aliyun.tags()
    assert len(site.aliyun.copies) == 30
    assert site.run("replicate", *words) == {}


def test_without_regions_it_copies_to_all_of_the_account_but_the_skipped(site: Site) -> None:
    site.build().run("upload")
    assert set(site.run("replicate", "--dry-run", "--set", "skipped_regions=ap-southeast-1")) == {OTHER}
    assert site.aliyun.copies == []
    site.run("replicate")
    argv = ["stream", "generate", "-o", str(site.builds), "--name", "x", "--no-signatures",
            "--published", "https://example.com"]  # fmt: skip
    done = CliRunner().invoke(bootimg, argv)
    assert done.exit_code == 0, (done.output, done.exception)
    regions = json.loads(done.stdout)["architectures"]["x86_64"]["images"]["aliyun"]["regions"]
    assert {name: each["image"] for name, each in regions.items()} == {
        each["name"]: each["id"] for each in site.entries()
    }


def test_a_copy_that_runs_is_waited_for_and_a_foreign_one_refused(site: Site) -> None:
    site.build().run("upload")
    site.run("replicate", "--region", f"{OTHER},ap-southeast-1")
    site.change_meta(aliyun=site.entries()[:1])
    image = site.aliyun.only(OTHER)
    image["Status"], site.aliyun.waits[image["ImageId"]] = "Creating", 3
    site.aliyun.only("ap-southeast-1")["Tags"]["Tag"].clear()
    found = site.run("replicate", "--region", f"{OTHER},ap-southeast-1", code=ExitCode.PARTIAL)
    assert found[OTHER]["entry"] == {"name": OTHER, "id": image["ImageId"]}
    assert found["ap-southeast-1"]["error"]["id"] == "cloud-image-foreign"
    assert len(site.aliyun.copies) == 2


@pytest.mark.parametrize("verb", ["upload", "replicate"])
def test_an_image_that_ecs_gives_up_is_made_anew(verb: str, site: Site) -> None:
    site.build()
    region, words = (HOME, ()) if verb == "upload" else (OTHER, ("--region", OTHER))
    if verb == "replicate":
        site.run("upload")
    site.aliyun.ends = "CreateFailed"
    error = site.error(verb, *words)
    assert error["id"] == "cloud-image-failed"
    old = site.aliyun.only(region)["ImageId"]
    assert old in error["message"]
    site.aliyun.ends = "Available"
    new = site.run(verb, *words)[region]["entry"]["id"]
    assert new != old
    assert site.aliyun.only(region)["ImageId"] == new


def test_publish_share_and_deprecate(site: Site) -> None:
    site.build().run("upload")
    image = site.aliyun.only()
    accounts = [str(number) for number in range(12)]
    site.run("share", "--grant", ",".join(accounts))
    assert site.aliyun.shared[image["ImageId"]] == accounts
    assert site.run("share", "--grant", "3")[HOME]["state"] == "was there"
    assert site.refusal("share").id == "cloud-setting-missing"
    assert site.run("deprecate", "--dry-run")[HOME]["state"] == "would be done"
    site.run("deprecate")
    assert image["Status"] == "Deprecated"
    assert site.run("deprecate")[HOME]["state"] == "was there"
    assert site.run("publish")[HOME]["text"].endswith("no longer deprecated, made public")
    assert (image["Status"], image["IsPublic"]) == ("Available", True)
    assert site.run("publish")[HOME]["state"] == "was there"


def test_retire_deletes_images_and_snapshots_and_keeps_the_entries(site: Site) -> None:
    site.build().run("upload", "--public")
    entries = site.entries()
    assert site.retire(dry_run=True) == {HOME: "would be done"}
    assert site.aliyun.snapshots[HOME]
    assert site.retire() == {HOME: "done"}
    assert (site.aliyun.images[HOME], site.aliyun.snapshots[HOME]) == ({}, set())
    assert site.retire() == {HOME: "was there"}
    assert site.entries() == entries
    assert site.error("publish")["id"] == "cloud-image-missing"
    assert site.refusal("replicate", "--region", OTHER).id == "cloud-image-missing"


def test_retire_refuses_an_image_of_another_build(site: Site) -> None:
    site.build().run("upload")
    site.aliyun.only()["Tags"]["Tag"][0]["TagValue"] = "0" * 64
    assert site.retire() == {HOME: "cloud-image-foreign"}
    assert site.aliyun.images[HOME]
