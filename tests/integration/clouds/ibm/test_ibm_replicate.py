"""`bootimg replicate`, `publish` and retiring for IBM's object storage, in many regions."""

from __future__ import annotations

import pytest
from bootimg_uploaders.ibm import copying
from bootimg_uploaders.ibm.replicating import REGIONS as KNOWN

from bootimg.errors import ExitCode
from tests.integration.clouds.ibm.site import HOME, Site

REGIONS = [f"{place}-{number}" for place in ("eu", "jp", "us", "br", "ca", "au") for number in range(5)]
FAILING = dict.fromkeys(REGIONS[3:7], "InvalidRequest") | {REGIONS[20]: "AccessDenied"}


def test_of_30_regions_5_fail_and_a_second_run_does_only_these(site: Site) -> None:
    site.build().make_buckets(REGIONS)
    site.run("upload", "--public")
    site.cos.failing = dict(FAILING)
    words = ("--region", ",".join(REGIONS))
    found = site.run("replicate", *words, code=ExitCode.PARTIAL)
    failed = {region: each["error"]["id"] for region, each in found.items() if each["error"]}
    assert failed == {
        region: "cloud-permission-missing" if code == "AccessDenied" else "cloud-request-failed"
        for region, code in FAILING.items()
    }
    assert len(found) == 30
    recorded = {each["region"]: each for each in site.entries()}
    assert set(recorded) == {HOME, *REGIONS} - set(FAILING)
    site.cos.failing = {}
    assert set(site.run("replicate", *words)) == set(FAILING)
    after = {each["region"]: each for each in site.entries()}
    assert set(after) == {HOME, *REGIONS}
    assert {region: after[region] for region in recorded} == recorded
    data = site.artifact().read_bytes()
    for region in REGIONS:
        assert site.stored(region) == data
        assert site.cos.is_public(f"art-{region}", site.name)
    assert site.run("replicate", *words) == {}
    # The bytes never pass through this machine again.
    assert site.parts_sent() == -(-len(data) // (512 << 10))


def test_a_large_object_is_copied_in_parts(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "_MOST", 1 << 20)
    monkeypatch.setattr(copying, "_PART", 1 << 20)
    site.build().make_buckets(["eu-de"])
    site.run("upload")
    parts = -(-len(site.stored()) // (1 << 20))
    calls = [
        ("cos:CreateMultipartUpload", 1),
        ("cos:UploadPartCopy", parts),
        ("cos:CompleteMultipartUpload", 1),
    ]
    for words in (("--dry-run",), ()):
        site.run("replicate", "--region", "eu-de", *words)
        assert site.calls == calls
    assert site.stored("eu-de") == site.artifact().read_bytes()
    assert site.run("replicate", "--region", "eu-de") == {}
    site.change_meta(ibmcloud=site.entries()[:1])
    assert site.run("replicate", "--region", "eu-de")["eu-de"]["state"] == "was there"


def test_without_regions_it_copies_to_all_known_but_the_skipped(site: Site) -> None:
    site.build().run("upload")
    found = site.run("replicate", "--dry-run", "--set", "skipped_regions=br-sao")
    assert set(found) == set(KNOWN) - {HOME, "br-sao"}
    assert {each[0] for each in site.calls} == {"cos:CopyObject"}
    assert len(site.entries()) == 1


def test_a_copy_that_was_not_recorded_is_found_and_a_foreign_one_refused(site: Site) -> None:
    site.build().make_buckets(["eu-de", "eu-gb"])
    site.run("upload")
    site.run("replicate", "--region", "eu-de,eu-gb")
    site.change_meta(ibmcloud=site.entries()[:1])
    site.cos.objects("art-eu-gb")[site.name].set_metadata({"x-amz-meta-sha256": "0" * 64}, replace=True)
    found = site.run("replicate", "--region", "eu-de,eu-gb", code=ExitCode.PARTIAL)
    assert found["eu-de"]["state"] == "was there"
    assert found["eu-gb"]["error"]["id"] == "cloud-image-foreign"
    assert {each["region"] for each in site.entries()} == {HOME, "eu-de"}


def test_publish_makes_public_what_is_not(site: Site) -> None:
    site.build().make_buckets(["eu-de"])
    site.run("upload")
    site.run("replicate", "--region", "eu-de")
    assert {each["state"] for each in site.run("publish", "--dry-run").values()} == {"would be done"}
    assert not site.cos.is_public(f"art-{HOME}", site.name)
    site.run("publish", "--region", "eu-de")
    assert {region: each["state"] for region, each in site.run("publish").items()} == {
        HOME: "done", "eu-de": "was there",
    }  # fmt: skip
    assert site.cos.is_public(f"art-{HOME}", site.name)


def test_retire_deletes_what_meta_json_lists_and_keeps_the_entries(site: Site) -> None:
    site.build().make_buckets(["eu-de"])
    site.run("upload")
    site.run("replicate", "--region", "eu-de")
    entries = site.entries()
    assert site.retire(dry_run=True) == {HOME: "would be done", "eu-de": "would be done"}
    assert site.cos.objects(f"art-{HOME}")
    assert site.retire("eu-de") == {"eu-de": "done"}
    assert site.retire() == {HOME: "done", "eu-de": "was there"}
    assert (site.cos.objects(f"art-{HOME}"), site.cos.objects("art-eu-de")) == ({}, {})
    assert site.entries() == entries
    error = site.run("publish", code=ExitCode.PARTIAL)[HOME]["error"]
    assert error["id"] == "cloud-image-missing"
    assert site.refusal("replicate", "--region", "eu-gb").id == "cloud-image-missing"


def test_retire_refuses_an_object_that_was_replaced(site: Site) -> None:
    site.build().run("upload")
    site.cos.objects(f"art-{HOME}")[site.name].set_metadata({"x-amz-meta-sha256": "0" * 64}, replace=True)
    assert site.retire() == {HOME: "cloud-image-foreign"}
    assert site.cos.objects(f"art-{HOME}")


@pytest.mark.parametrize("verb", ["share", "deprecate"])
def test_what_the_storage_does_not_have(verb: str, site: Site) -> None:
    words = ("--grant", "x") if verb == "share" else ()
    assert site.build().refusal(verb, *words).id in ("cloud-verb-unsupported", "cloud-setting-invalid")
