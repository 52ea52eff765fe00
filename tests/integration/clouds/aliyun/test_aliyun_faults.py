"""Uploads to Alibaba Cloud that are spoiled by a proxy, or killed (SIGKILL) at each journal record."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable

import pytest

from tests.integration.clouds.aliyun.site import SETTINGS, Site
from tests.integration.clouds.commands import invoke
from tests.integration.clouds.site import retire
from tests.support.clouds.faultproxy import FAULTS as PASSING_FAULTS
from tests.support.clouds.faultproxy import Fault, Request
from tests.support.clouds.killedverbs import killed_after_record
from tests.support.clouds.strictaliyun import HOME

OTHER = "eu-central-1"
THROTTLED = b'{"Code": "Throttling.User", "Message": "slowly", "RequestId": "1"}'
FAULTS = PASSING_FAULTS | {"429": Fault(429, {"Content-Type": "application/json"}, body=THROTTLED)}


def first_time(fault: Fault) -> Callable[[Request], Fault | None]:
    """The fault for the first request of every kind."""
    seen: set[str] = set()

    def plan(request: Request) -> Fault | None:
        words = ("partNumber", "uploads", "uploadId", "ImportImage", "ImageName", "DestinationRegionId",
                 "IsPublic", "AddAccount", "SnapshotId", "Force", "ImageId")  # fmt: skip
        kind = f"{request.method} {next((each for each in words if each in request.path), '')}"
        new = kind not in seen
        seen.add(kind)
        return fault if new else None

    return plan


@pytest.mark.parametrize("kind", FAULTS)
def test_every_call_fails_once(kind: str, site: Site) -> None:
    site.build().proxy.plan = first_time(FAULTS[kind])
    site.run("upload", "-j", 3)
    site.run("replicate", "--region", OTHER)
    site.run("publish")
    assert [each["name"] for each in site.entries()] == [HOME, OTHER]
    for entry in site.entries():
        image = site.aliyun.only(entry["name"])
        assert (image["ImageId"], image["Status"], image["IsPublic"]) == (entry["id"], "Available", True)
    assert site.aliyun.imports[0]["Data"] == site.artifact().read_bytes()
    assert (len(site.aliyun.imports), len(site.aliyun.copies)) == (1, 1)
    assert site.aliyun.keys("art") == []
    assert site.retire() == {HOME: "done", OTHER: "done"}
    assert not any(site.aliyun.images.values())
    assert not any(site.aliyun.snapshots.values())


def test_the_waits_that_the_cloud_asks_for(site: Site) -> None:
    times: list[float] = []

    def plan(request: Request) -> Fault | None:
        if "ImageName" not in request.path:
            return None
        times.append(time.monotonic())
        headers = {"x-acs-retry-after": "2000", "Content-Type": "application/json"}
        return Fault(400, headers, body=THROTTLED) if len(times) == 1 else None

    site.build().proxy.plan = plan
    site.run("upload")
    assert times[1] - times[0] >= 2


def test_the_budget_ends_and_the_sdks_do_not_repeat_by_themselves(site: Site) -> None:
    site.build().proxy.plan = lambda request: Fault(503) if "partNumber" in request.path else None
    error = site.error("upload", "--retry-for", "3s", "-j", 1)
    assert error["id"] == "cloud-unavailable"
    assert 2 <= site.parts_sent() <= 6
    site.proxy.plan = lambda request: Fault(503) if "ImageName" in request.path else None
    site.proxy.requests.clear()
    assert site.error("upload", "--retry-for", "3s")["id"] == "cloud-unavailable"
    assert 2 <= len(site.proxy.requests) <= 6
    assert site.entries() == []


def test_an_upload_that_is_killed_at_each_record_continues(site: Site) -> None:
    site.build()
    whole, kept = site.artifact().read_bytes(), site.builds.parent / "kept"
    parts = -(-len(whole) // (512 << 10))
    shutil.copytree(site.builds, kept, symlinks=True)
    # Beginning, parts and end of the object; beginning and end of the import.
    for number in range(1, parts + 5):
        shutil.rmtree(site.builds)
        shutil.copytree(kept, site.builds, symlinks=True)
        site.proxy.requests.clear()
        assert killed_after_record(number, SETTINGS, invoke, "upload", site.builds, *site.words, "-j", 2)
        site.run("upload", "-j", 2)
        assert site.parts_sent() <= parts + 2
        assert (len(site.aliyun.imports), site.aliyun.keys("art"), site.aliyun.uploads("art")) == (1, [], [])
        assert site.aliyun.imports.pop()["Data"] == whole
        assert site.entries() == [{"name": HOME, "id": site.aliyun.only()["ImageId"]}]
        assert site.retire() == {HOME: "done"}


def test_a_retirement_that_is_killed_deletes_the_snapshots_later(site: Site) -> None:
    site.build().run("upload", "--public")
    assert killed_after_record(1, SETTINGS, retire, site.builds, site.platform, site.retirement())
    site.aliyun.images[HOME].clear()
    assert site.aliyun.snapshots[HOME]
    assert site.retire() == {HOME: "done"}
    assert not site.aliyun.snapshots[HOME]
    assert site.retire() == {HOME: "was there"}
