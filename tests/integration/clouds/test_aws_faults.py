"""Uploads to AWS through a proxy that spoils answers: the same result, and nothing twice."""

from __future__ import annotations

import email.utils
import time
from pathlib import Path

import pytest

from tests.integration.clouds.commands import HOME, failure, meta, places, upload
from tests.support.clouds.cloudbuilds import make_aws_build
from tests.support.clouds.faultproxy import FAULTS, Fault, Proxy, Request, each_third_time
from tests.support.clouds.strictaws import StrictAws


@pytest.mark.parametrize("kind", FAULTS)
def test_every_call_fails_once(kind: str, aws: StrictAws, proxy: Proxy, tmp_path: Path) -> None:
    path, raw = make_aws_build(tmp_path / "builds")
    proxy.plan = each_third_time(FAULTS[kind])
    upload(tmp_path / "builds", "--public")
    places("replicate", tmp_path / "builds", "--region", "eu-west-1")
    for entry in meta(path)["amis"]:
        (image,), (snapshot,) = aws.images(entry["name"]), aws.snapshots(entry["name"])
        assert (image.id, snapshot.id) == (entry["hvm"], entry["snapshot"])
        assert image.launch_permissions == [{"Group": "all"}]
        assert snapshot.create_volume_permission_groups == {"all"}
    data = raw.read_bytes()
    assert aws.disk(HOME, meta(path)["amis"][0]["snapshot"], len(data)) == data
    assert len(meta(path)["amis"]) == 2


def test_retry_after_is_obeyed(aws: StrictAws, proxy: Proxy, tmp_path: Path) -> None:
    make_aws_build(tmp_path / "builds")
    times: list[float] = []

    def plan(request: Request) -> Fault | None:
        if request.action != "StartSnapshot":
            return None
        times.append(time.monotonic())
        soon = email.utils.formatdate(time.time() + 4, usegmt=True)
        return [Fault(429, {"Retry-After": "3"}), Fault(503, {"Retry-After": soon}), None][len(times) - 1]

    proxy.plan = plan
    upload(tmp_path / "builds")
    assert times[1] - times[0] >= 3
    # The date has whole seconds.
    assert times[2] - times[1] >= 2


def test_the_budget_ends_and_the_sdk_does_not_repeat_by_itself(
    aws: StrictAws, proxy: Proxy, tmp_path: Path
) -> None:
    path, _ = make_aws_build(tmp_path / "builds")
    proxy.plan = lambda request: Fault(503) if request.action == "StartSnapshot" else None
    error = failure(tmp_path / "builds", "--retry-for", "3s")
    assert error["id"] == "cloud-unavailable"
    assert "ebs:StartSnapshot" in error["message"]
    # The pauses are about half a second, one and two; boto3 alone would have tried up to five times each.
    assert 2 <= proxy.count("StartSnapshot") <= 6
    assert "amis" not in meta(path)
    proxy.plan = lambda request: None
    upload(tmp_path / "builds")
    assert len(aws.snapshots(HOME)) == 1


def test_a_part_that_fails_for_good_stops_the_others_and_the_rest_is_sent_later(
    aws: StrictAws, proxy: Proxy, tmp_path: Path
) -> None:
    _, raw = make_aws_build(tmp_path / "builds")

    def plan(request: Request) -> Fault | None:
        return Fault(503) if request.path.endswith("/blocks/84") and request.method == "PUT" else None

    proxy.plan = plan
    assert failure(tmp_path / "builds", "--retry-for", "1s", "-j", "2")["id"] == "cloud-unavailable"
    (snapshot,) = aws.snapshots(HOME)
    sent = aws.blocks(HOME, snapshot.id)
    proxy.plan = lambda request: None
    before = proxy.count("PutSnapshotBlock")
    upload(tmp_path / "builds", "-j", "2")
    assert aws.disk(HOME, snapshot.id, raw.stat().st_size) == raw.read_bytes()
    assert proxy.count("PutSnapshotBlock") - before == len(aws.blocks(HOME, snapshot.id)) - len(sent)
