"""`bootimg replicate`, `publish`, `share`, `deprecate` and `retire` for Azure."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bootimg.cache import Cache
from bootimg.cloud.lifecycle import PlaceResult
from bootimg.cloud.verbs import Verb
from bootimg.errors import BootimgError, ExitCode
from bootimg.events import Events
from bootimg.orchestrator.uploading.request import CloudRequest
from bootimg.orchestrator.uploading.run import run_cloud_verb
from tests.integration.clouds.azurecommands import BLOB, Galleries, each_place
from tests.integration.clouds.commands import failing, meta
from tests.integration.clouds.processes import killed_at
from tests.support.clouds.cloudbuilds import BUILD, make_cloud_build
from tests.support.clouds.faultproxy import FAULTS, Fault, Request, each_third_time
from tests.support.clouds.strictazure import GROUP, SUBSCRIPTION

VERSION = "9.6.2026110100"
PLACE = f"rhcos/rhcos-x86_64/{VERSION}"


def build_path(builds: Path) -> Path:
    return builds / BUILD / "x86_64"


def test_the_version_is_made_of_the_blob_in_all_regions(galleries: Galleries, tmp_path: Path) -> None:
    builds = galleries.uploaded(tmp_path / "builds")
    before = (build_path(builds) / "meta.json").read_bytes()
    words = (*galleries.words, "--region", "eastus2,westeurope")
    found = each_place("replicate", builds, words)
    assert {key: each["state"] for key, each in found.items()} == {
        "eastus": "done", "eastus2": "done", "westeurope": "done",
    }  # fmt: skip
    (request,) = galleries.azure.puts
    document = meta(build_path(builds))
    account = (
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Storage"
        "/storageAccounts/devstoreaccount1"
    )
    assert request == {
        "location": "eastus",
        "tags": {"bootimg:sha256": document["images"]["azure"]["sha256"], "bootimg:build": f"{BUILD}/x86_64"},
        "properties": {
            "publishingProfile": {
                "targetRegions": [{"name": "eastus"}, {"name": "eastus2"}, {"name": "westeurope"}],
                "excludeFromLatest": True,
            },
            "storageProfile": {
                "osDiskImage": {"source": {"uri": document["azure"]["url"], "storageAccountId": account}}
            },
        },
    }  # fmt: skip
    assert list(galleries.azure.versions) == [("rhcos-x86_64", VERSION)]
    assert (build_path(builds) / "meta.json").read_bytes() == before
    found = each_place("replicate", builds, words)
    assert {each["state"] for each in found.values()} == {"was there"}
    assert len(galleries.azure.puts) == 1
    # A further region is added, and the others stay.
    words = (*galleries.words, "--region", "uksouth", "--set", "skipped_regions=westeurope")
    found = each_place("replicate", builds, words)
    assert {key: each["state"] for key, each in found.items()} == {"eastus": "was there", "uksouth": "done"}
    assert galleries.regions == {"East US", "East US 2", "West Europe", "UK South"}


def test_a_region_that_fails_hides_no_other_and_a_second_run_does_it(
    galleries: Galleries, tmp_path: Path
) -> None:
    builds = galleries.uploaded(tmp_path / "builds")
    galleries.azure.failing = {"westeurope"}
    words = (*galleries.words, "--region", "eastus2,westeurope")
    found = each_place("replicate", builds, words, ExitCode.PARTIAL)
    assert [each["state"] for each in found.values()] == ["done", "done", "failed"]
    assert found["westeurope"]["error"]["id"] == "cloud-image-failed"
    assert found["westeurope"]["error"]["context"] == ["no capacity"]
    galleries.azure.failing = set()
    found = each_place("replicate", builds, words)
    assert [each["state"] for each in found.values()] == ["was there", "was there", "done"]


def test_a_region_that_azure_refuses_is_left_out(galleries: Galleries, tmp_path: Path) -> None:
    builds = galleries.uploaded(tmp_path / "builds")
    words = (*galleries.words, "--region", "eastus2,atlantis,uksouth")
    found = each_place("replicate", builds, words, ExitCode.PARTIAL)
    assert {key for key, each in found.items() if each["error"]} == {"atlantis"}
    assert "atlantis" in " ".join(found["atlantis"]["error"]["context"])
    assert galleries.regions == {"East US", "East US 2", "UK South"}


def test_without_a_blob_a_gallery_or_a_fitting_definition_nothing_is_made(
    galleries: Galleries, tmp_path: Path
) -> None:
    make_cloud_build(tmp_path / "builds", "azure", image_json=None)
    builds, words = tmp_path / "builds", galleries.words
    assert failing("replicate", builds, *words).id == "cloud-nothing-uploaded"
    each_place("upload", builds, galleries.storage.words)
    assert failing("replicate", builds, *galleries.storage.words).id == "cloud-setting-missing"
    for setting, id in {
        "gallery=other": "cloud-gallery-missing",
        "image_definition=x": "cloud-gallery-missing",
        "image_definition=rhcos-aarch64": "cloud-setting-invalid",
        "image_definition=-": "cloud-name-invalid",
        "image_version=1.2": "cloud-name-invalid",
        "management_endpoint=http://x": "cloud-setting-invalid",
    }.items():
        assert failing("replicate", builds, *words, "--set", setting).id == id
    assert galleries.azure.puts == []


def test_a_foreign_version_of_the_name(galleries: Galleries, tmp_path: Path) -> None:
    builds = galleries.replicated(tmp_path / "builds")
    galleries.version["tags"]["bootimg:sha256"] = "0" * 64
    for verb, code in (("replicate", ExitCode.PARTIAL), ("publish", ExitCode.FAILED)):
        words = (*galleries.words, "--set", "publish_as=latest", "--region", "eastus2")
        found = each_place(verb, builds, words, code).values()
        assert {each["error"]["id"] for each in found} == {"cloud-image-foreign"}
        assert all(PLACE in each["error"]["message"] for each in found)
    (_, version) = retire(galleries, builds)
    assert version.error
    assert version.error.id == "cloud-image-foreign"
    assert galleries.version


def retire(galleries: Galleries, builds: Path, *, dry_run: bool = False) -> Sequence[PlaceResult]:
    """What the verb retire says of blob and version."""
    pairs = dict(each.split("=", 1) for each in galleries.words if "=" in each)
    request = CloudRequest(
        verb=Verb.RETIRE, builds=builds, platforms=("azure",), overrides=pairs, dry_run=dry_run
    )
    (report,) = run_cloud_verb(request, Cache(builds.parent / "cache"), Events())
    return report.results


def test_retire_is_about_the_blob_that_the_build_lists(galleries: Galleries, tmp_path: Path) -> None:
    builds = galleries.replicated(tmp_path / "builds")
    path = build_path(builds) / "meta.json"
    document = meta(build_path(builds))
    document["azure"]["url"] += "x"
    path.write_text(json.dumps(document))
    with pytest.raises(BootimgError) as error:
        retire(galleries, builds)
    assert error.value.id == "cloud-setting-invalid"
    assert galleries.storage.names() == [BLOB]


def test_retire_deletes_version_and_blob_and_keeps_the_entry(galleries: Galleries, tmp_path: Path) -> None:
    builds = galleries.replicated(tmp_path / "builds")
    before = meta(build_path(builds))
    assert [each.state for each in retire(galleries, builds, dry_run=True)] == ["would be done"] * 2
    assert (galleries.storage.names(), len(galleries.azure.versions)) == ([BLOB], 1)
    galleries.proxy.plan = galleries.storage.proxy.plan = each_third_time(FAULTS["lost answer"])
    assert [each.state for each in retire(galleries, builds)] == ["done"] * 2
    assert (galleries.storage.names(), galleries.azure.versions) == ([], {})
    assert [each.state for each in retire(galleries, builds)] == ["was there"] * 2
    assert meta(build_path(builds)) == before


@pytest.mark.parametrize("kind", FAULTS)
def test_every_call_fails_once(kind: str, galleries: Galleries, tmp_path: Path) -> None:
    builds = galleries.uploaded(tmp_path / "builds")
    galleries.proxy.plan = each_third_time(FAULTS[kind])
    galleries.azure.permissions = "Community"
    each_place("replicate", builds, (*galleries.words, "--region", "eastus2"))
    each_place("publish", builds, galleries.words)
    assert galleries.regions == {"East US", "East US 2"}
    assert (galleries.publishing["excludeFromLatest"], galleries.azure.community) == (False, True)
    each_place("deprecate", builds, galleries.words)
    assert galleries.publishing["excludeFromLatest"] is True


def test_a_killed_replication_finds_its_version(galleries: Galleries, tmp_path: Path) -> None:
    builds = galleries.uploaded(tmp_path / "builds")
    words = (*galleries.words, "--region", "eastus2")
    killed_at(galleries.proxy, "PUT version", 1, "replicate", builds, *words)
    found = each_place("replicate", builds, words)
    assert {each["state"] for each in found.values()} <= {"done", "was there"}
    assert set(found) == {"eastus", "eastus2"}
    assert len(galleries.azure.puts) == 1
    replicas = galleries.version["properties"]["replicationStatus"]["summary"]
    assert {each["region"]: each["state"] for each in replicas} == {
        "East US": "Completed", "East US 2": "Completed",
    }  # fmt: skip


def test_publish_and_deprecate_take_each_other_back(galleries: Galleries, tmp_path: Path) -> None:
    builds = galleries.replicated(tmp_path / "builds")
    words = galleries.words
    error = each_place("publish", builds, words, ExitCode.USAGE)[PLACE]["error"]
    assert error["id"] == "cloud-gallery-private"
    assert galleries.publishing["excludeFromLatest"] is True
    each_place("publish", builds, (*words, "--set", "publish_as=latest"))
    assert galleries.publishing["excludeFromLatest"] is False
    galleries.azure.permissions = "Community"
    found = each_place("publish", builds, words)[PLACE]
    assert found["text"] == f"{PLACE}: gallery opened to the community"
    assert each_place("publish", builds, words)[PLACE]["state"] == "was there"
    assert each_place("deprecate", builds, (*words, "--dry-run"))[PLACE]["state"] == "would be done"
    assert galleries.publishing["excludeFromLatest"] is False
    each_place("deprecate", builds, words)
    end = datetime.fromisoformat(galleries.publishing["endOfLifeDate"])
    assert abs(datetime.now(UTC) - end) < timedelta(minutes=5)
    assert galleries.publishing["excludeFromLatest"] is True
    assert each_place("deprecate", builds, words)[PLACE]["state"] == "was there"
    each_place("publish", builds, words)
    assert "endOfLifeDate" not in galleries.publishing
    assert galleries.regions == {"East US", "East US 2"}


def test_share_adds_whom_the_gallery_lacks(galleries: Galleries, tmp_path: Path) -> None:
    builds = galleries.replicated(tmp_path / "builds")
    words = galleries.words
    assert failing("share", builds, *words).id == "cloud-setting-missing"
    error = each_place("share", builds, (*words, "--grant", "a"), ExitCode.USAGE)[PLACE]["error"]
    assert error["id"] == "cloud-gallery-private"
    galleries.azure.permissions = "Groups"
    each_place("share", builds, (*words, "--grant", "a,b", "--set", "grant_tenants=t"))
    assert galleries.azure.groups == [
        {"type": "Subscriptions", "ids": ["a", "b"]}, {"type": "AADTenants", "ids": ["t"]},
    ]  # fmt: skip
    each_place("share", builds, (*words, "--grant", "b,c"))
    assert galleries.azure.groups[2:] == [{"type": "Subscriptions", "ids": ["c"]}]
    assert each_place("share", builds, (*words, "--grant", "b,c"))[PLACE]["state"] == "was there"


def of_puts(fault: Fault) -> Callable[[Request], Fault | None]:
    """The fault for every change of a version."""
    return lambda request: fault if request.action == "PUT version" else None


def test_answers_that_refuse_and_the_sdk_does_not_repeat_by_itself(
    galleries: Galleries, tmp_path: Path
) -> None:
    builds = galleries.replicated(tmp_path / "builds")
    words = (*galleries.words, "--region", "uksouth", "--retry-for", "1s")
    for status, code, id in ((401, "ExpiredAuthenticationToken", "cloud-credentials-refused"),
                             (403, "AuthorizationFailed", "cloud-permission-missing"),
                             (400, "Strange", "cloud-request-failed"),
                             (503, "ServerBusy", "cloud-unavailable")):  # fmt: skip
        body = json.dumps({"error": {"code": code, "message": "sig=abc%3D&se=1 says no"}}).encode()
        fault = Fault(status, {"Content-Type": "application/json"}, body=body)
        galleries.proxy.plan = of_puts(fault)
        before = galleries.proxy.count("PUT version")
        found = each_place("replicate", builds, words, ExitCode.PARTIAL)
        error = found["uksouth"]["error"]
        assert error["id"] == id
        assert "abc" not in json.dumps(found)
        assert galleries.proxy.count("PUT version") - before <= (4 if status == 503 else 1)
    assert galleries.regions == {"East US", "East US 2"}
