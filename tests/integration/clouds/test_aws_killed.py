"""Uploads that are killed (SIGKILL) at each of their calls, and continued."""

from __future__ import annotations

import json
import signal
import threading
import time
from pathlib import Path

import pytest

from bootimg.errors import BootimgError, ExitCode
from tests.integration.clouds.commands import HOME, failing, meta, places, upload
from tests.integration.clouds.processes import killed_at, start
from tests.support.clouds.cloudbuilds import make_aws_build
from tests.support.clouds.faultproxy import Fault, Proxy, Request
from tests.support.clouds.strictaws import StrictAws

WORKERS = 3
AWS = ("-p", "aws", "--region", HOME)


@pytest.mark.parametrize(
    ("action", "number"),
    [("StartSnapshot", 1), ("PutSnapshotBlock", 1), ("PutSnapshotBlock", 8), ("PutSnapshotBlock", 14),
     ("CompleteSnapshot", 1), ("RegisterImage", 1), ("ModifySnapshotAttribute", 1)],
)  # fmt: skip
def test_a_killed_upload_continues(
    action: str, number: int, aws: StrictAws, proxy: Proxy, tmp_path: Path
) -> None:
    path, raw = make_aws_build(tmp_path / "builds")
    words = ("--region", HOME, "--public", "-j", str(WORKERS))
    killed_at(proxy, action, number, "upload", tmp_path / "builds", "-p", "aws", *words)
    found = upload(tmp_path / "builds", "--public", "-j", WORKERS)
    (image,), (snapshot,), (entry,) = aws.images(HOME), aws.snapshots(HOME), meta(path)["amis"]
    assert entry == {"name": HOME, "hvm": image.id, "snapshot": snapshot.id} == found["places"][0]["entry"]
    data = raw.read_bytes()
    assert aws.disk(HOME, snapshot.id, len(data)) == data
    assert image.launch_permissions == [{"Group": "all"}]
    assert proxy.count("PutSnapshotBlock") <= len(aws.blocks(HOME, snapshot.id)) + WORKERS


def test_a_killed_replication_finds_its_copies(aws: StrictAws, proxy: Proxy, tmp_path: Path) -> None:
    path, _ = make_aws_build(tmp_path / "builds")
    upload(tmp_path / "builds")
    words = ("--region", "eu-west-1,eu-west-2,eu-west-3")
    killed_at(proxy, "CopyImage", 2, "replicate", tmp_path / "builds", "-p", "aws", *words)
    places("replicate", tmp_path / "builds", *words)
    assert {each["name"] for each in meta(path)["amis"]} == {HOME, "eu-west-1", "eu-west-2", "eu-west-3"}
    assert len(aws.copies) == 3
    assert all(len(aws.images(region)) == 1 for region in ("eu-west-1", "eu-west-2", "eu-west-3"))


def test_without_its_journal_a_pending_snapshot_is_continued(
    aws: StrictAws, proxy: Proxy, tmp_path: Path
) -> None:
    """As on another machine: everything is sent again, to the same snapshot."""
    path, raw = make_aws_build(tmp_path / "builds")
    killed_at(proxy, "PutSnapshotBlock", 5, "upload", tmp_path / "builds", *AWS)
    (path / ".bootimg-upload-aws.ndjson").unlink()
    entry = upload(tmp_path / "builds")["places"][0]["entry"]
    assert len(aws.snapshots(HOME)) == 1
    assert aws.disk(HOME, entry["snapshot"], raw.stat().st_size) == raw.read_bytes()


def test_a_snapshot_that_aws_gave_up_is_begun_anew(aws: StrictAws, proxy: Proxy, tmp_path: Path) -> None:
    _, raw = make_aws_build(tmp_path / "builds")
    killed_at(proxy, "PutSnapshotBlock", 5, "upload", tmp_path / "builds", *AWS)
    (old,) = aws.snapshots(HOME)
    old.status = "error"
    entry = upload(tmp_path / "builds")["places"][0]["entry"]
    assert entry["snapshot"] != old.id
    assert aws.disk(HOME, entry["snapshot"], raw.stat().st_size) == raw.read_bytes()


def test_two_uploads_at_once(aws: StrictAws, proxy: Proxy, tmp_path: Path) -> None:
    path, _ = make_aws_build(tmp_path / "builds")
    reached, go_on = threading.Event(), threading.Event()

    def plan(request: Request) -> Fault | None:
        if request.action == "PutSnapshotBlock":
            reached.set()
            go_on.wait(60)
        return None

    proxy.plan = plan
    first = start("upload", tmp_path / "builds", *AWS, "--json")
    assert reached.wait(120)
    error: BootimgError = failing("upload", tmp_path / "builds", "-p", "aws", "--region", HOME)
    assert error.id == "upload-running"
    assert json.loads(error.context[0])["pid"] == first.pid
    go_on.set()
    output, _ = first.communicate(timeout=120)
    assert first.returncode == 0, output
    assert len(aws.images(HOME)) == len(aws.snapshots(HOME)) == len(meta(path)["amis"]) == 1


def test_an_interrupted_upload_stops_soon_and_continues(aws: StrictAws, proxy: Proxy, tmp_path: Path) -> None:
    """^C: no further part is sent, and those that were sent are not sent again."""
    path, raw = make_aws_build(tmp_path / "builds")
    born = threading.Event()

    def plan(request: Request) -> Fault | None:
        if request.action == "PutSnapshotBlock":
            born.wait(60)
            if proxy.count("PutSnapshotBlock") == 4:
                process.send_signal(signal.SIGINT)
            # The others are on their way while the signal is handled.
            time.sleep(0.5)
        return None

    proxy.plan = plan
    process = start("upload", tmp_path / "builds", *AWS, "-j", "1")
    born.set()
    output, _ = process.communicate(timeout=120)
    assert process.returncode == ExitCode.INTERRUPTED, output
    sent = proxy.count("PutSnapshotBlock")
    assert sent < 14
    proxy.plan = lambda request: None
    entry = upload(tmp_path / "builds")["places"][0]["entry"]
    assert proxy.count("PutSnapshotBlock") == 14
    assert aws.disk(HOME, entry["snapshot"], raw.stat().st_size) == raw.read_bytes()
    assert len(meta(path)["amis"]) == 1
