"""Uploads to IBM's object storage through a proxy that spoils answers: the same result, and nothing twice."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from bootimg_uploaders.ibm import objects

from bootimg.errors import ExitCode
from tests.integration.clouds.ibm.site import HOME, Site
from tests.support.clouds.faultproxy import FAULTS, Fault, Request


def first_time(fault: Fault) -> Callable[[Request], Fault | None]:
    """The fault for the first request of every kind, and for the second part too."""
    seen: set[str] = set()

    def plan(request: Request) -> Fault | None:
        path, _, query = request.path.partition("?")
        kind = f"{request.method} {path} {query.rpartition('&')[2]}"
        new = kind not in seen
        seen.add(kind)
        return fault if new else None

    return plan


@pytest.mark.parametrize("kind", FAULTS)
def test_every_call_fails_once(kind: str, site: Site) -> None:
    site.build().make_buckets(["eu-de"])
    site.proxy.plan = first_time(FAULTS[kind])
    site.run("upload", "-j", 3)
    site.run("replicate", "--region", "eu-de")
    site.run("publish")
    data = site.artifact().read_bytes()
    for region in (HOME, "eu-de"):
        assert site.stored(region) == data
        assert site.cos.is_public(f"art-{region}", site.name)
        # Nobody knows of an upload whose id was lost: a rule of the bucket ends it.
        lost = region == HOME and kind in ("lost answer", "cut answer")
        assert len(site.cos.uploads(f"art-{region}")) == int(lost)
    assert [each["region"] for each in site.entries()] == [HOME, "eu-de"]
    assert site.retire() == {HOME: "done", "eu-de": "done"}
    assert site.cos.objects(f"art-{HOME}") == {}


def test_retry_after_is_obeyed(site: Site) -> None:
    times: list[float] = []

    def plan(request: Request) -> Fault | None:
        if not request.path.endswith("uploads"):
            return None
        times.append(time.monotonic())
        return Fault(503, {"Retry-After": "2"}) if len(times) == 1 else None

    site.build().proxy.plan = plan
    site.run("upload")
    assert times[1] - times[0] >= 2


def test_the_budget_ends_and_the_sdk_does_not_repeat_by_itself(site: Site) -> None:
    site.build().proxy.plan = lambda request: Fault(503) if request.method == "POST" else None
    error = site.error("upload", "--retry-for", "3s")
    assert error["id"] == "cloud-unavailable"
    assert "cos:CreateMultipartUpload" in error["message"]
    assert 2 <= sum(each.method == "POST" for each in site.proxy.requests) <= 6
    assert site.entries() == []


def test_the_token_service_fails_for_a_while(site: Site) -> None:
    site.cos.iam_failures = [503, 429]
    site.build().run("upload")
    assert len(site.cos.token_requests) == 3


def test_a_part_that_fails_for_good_stops_the_others_and_the_rest_is_sent_later(site: Site) -> None:
    site.build().proxy.plan = lambda request: Fault(503) if "partNumber=3" in request.path else None
    assert site.error("upload", "--retry-for", "1s", "-j", 1)["id"] == "cloud-unavailable"
    site.proxy.plan = lambda request: None
    site.proxy.requests.clear()
    site.run("upload", "-j", 1)
    parts = -(-site.artifact().stat().st_size // (512 << 10))
    assert site.parts_sent() == parts - 2
    assert site.stored() == site.artifact().read_bytes()


def test_a_damaged_part_is_refused_by_the_storage(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    other = SimpleNamespace(md5=lambda data, **_: hashlib.md5(data + b"x"))
    monkeypatch.setattr(objects, "hashlib", other)
    error = site.build().error("upload")
    assert (error["id"], error["exit-code"]) == ("cloud-request-failed", ExitCode.FAILED)
    assert "BadDigest" in error["message"]
