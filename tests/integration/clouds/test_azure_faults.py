"""Uploads to Azure through a proxy that spoils answers, and that are killed: the same result."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest

from bootimg.errors import BootimgError
from tests.integration.clouds.azurecommands import BLOB, Storage, refused, uploaded
from tests.integration.clouds.commands import failing, meta
from tests.integration.clouds.processes import killed_at, start
from tests.support.clouds.cloudbuilds import make_cloud_build
from tests.support.clouds.faultproxy import FAULTS, Fault, Request, each_third_time

WORKERS = 3
JOURNAL = ".bootimg-upload-azure.ndjson"
MOST_AGAIN = WORKERS * (4 << 20)


def make_build(builds: Path) -> tuple[Path, bytes]:
    """A build, and the VHD that its blob must be."""
    path, _ = make_cloud_build(builds, "azure", image_json=None)
    return path, next(path.glob("*.vhd")).read_bytes()


def require_whole(storage: Storage, path: Path, vhd: bytes) -> None:
    """There is one blob, which is the VHD and is recorded."""
    assert storage.names() == [BLOB]
    assert storage.read() == vhd
    assert storage.client().get_blob_properties().metadata["bootimg_state"] == "complete"
    assert meta(path)["azure"]["image"] == BLOB


@pytest.mark.parametrize("kind", FAULTS)
def test_every_call_fails_once(kind: str, storage: Storage, tmp_path: Path) -> None:
    path, vhd = make_build(tmp_path / "builds")
    storage.proxy.plan = each_third_time(FAULTS[kind])
    uploaded(storage, tmp_path / "builds")
    storage.proxy.plan = lambda request: None
    require_whole(storage, path, vhd)


def test_retry_after_is_obeyed(storage: Storage, tmp_path: Path) -> None:
    make_build(tmp_path / "builds")
    times: list[float] = []

    def plan(request: Request) -> Fault | None:
        if request.action != "PutBlob":
            return None
        times.append(time.monotonic())
        return Fault(503, {"Retry-After": "2"}) if len(times) == 1 else None

    storage.proxy.plan = plan
    uploaded(storage, tmp_path / "builds")
    assert times[1] - times[0] >= 2


def test_pages_that_are_damaged_on_their_way_are_sent_again(storage: Storage, tmp_path: Path) -> None:
    path, vhd = make_build(tmp_path / "builds")
    body = b"<?xml version='1.0'?><Error><Code>Md5Mismatch</Code><Message>no</Message></Error>"
    seen: list[str] = []

    def plan(request: Request) -> Fault | None:
        seen.append(request.action)
        first = seen.count("PutPage") == 1 and request.action == "PutPage"
        return Fault(400, {"x-ms-error-code": "Md5Mismatch"}, body=body) if first else None

    storage.proxy.plan = plan
    uploaded(storage, tmp_path / "builds")
    require_whole(storage, path, vhd)


def test_a_failing_call_is_repeated_by_bootimg_alone_and_the_rest_is_sent_later(
    storage: Storage, tmp_path: Path
) -> None:
    path, vhd = make_build(tmp_path / "builds")
    storage.proxy.plan = lambda request: (
        Fault(503) if request.action == "PutPage" and storage.proxy.count("PutPage") > 1 else None
    )
    error = refused("upload", tmp_path / "builds", *storage.words, "--retry-for", "2s", "-j", "1")
    assert error["id"] == "cloud-unavailable"
    assert 2 <= storage.proxy.count("PutPage") <= 6
    assert "azure" not in meta(path)
    storage.proxy.plan, before = lambda request: None, storage.sent()
    uploaded(storage, tmp_path / "builds", "-j", "1")
    written = sum(end - start for start, end in storage.ranges())
    assert storage.sent() - before < written
    require_whole(storage, path, vhd)


@pytest.mark.parametrize(
    ("action", "number"),
    [("GetBlobProperties", 1), ("PutBlob", 1), ("PutPage", 1), ("PutPage", 3), ("PutPage", 5),
     ("GetPageRanges", 1), ("SetBlobMetadata", 1)],
)  # fmt: skip
def test_a_killed_upload_continues(action: str, number: int, storage: Storage, tmp_path: Path) -> None:
    path, vhd = make_build(tmp_path / "builds")
    words = (*storage.words, "-j", str(WORKERS))
    killed_at(storage.proxy, action, number, "upload", tmp_path / "builds", *words)
    uploaded(storage, tmp_path / "builds", "-j", WORKERS)
    require_whole(storage, path, vhd)
    assert storage.sent() <= sum(end - start for start, end in storage.ranges()) + MOST_AGAIN


def test_at_every_record_of_the_journal_it_continues(storage: Storage, tmp_path: Path) -> None:
    """As after a kill between two records: the journal ends there, and the blob may have more."""
    path, vhd = make_build(tmp_path / "builds")
    uploaded(storage, tmp_path / "builds", "-j", "1")
    lines = (path / JOURNAL).read_text().splitlines(keepends=True)
    properties = storage.client().get_blob_properties()
    document = meta(path)
    del document["azure"]
    for number in range(1, len(lines)):
        (path / JOURNAL).write_text("".join(lines[:number]))
        (path / "meta.json").write_text(json.dumps(document))
        storage.client().set_blob_metadata({**properties.metadata, "bootimg_state": "begun"})
        parts = sum('"part"' in line for line in lines[:number])
        before = storage.proxy.count("PutPage")
        uploaded(storage, tmp_path / "builds", "-j", "1")
        total = sum('"part"' in line for line in lines)
        assert storage.proxy.count("PutPage") - before == total - parts
        require_whole(storage, path, vhd)


def test_pages_that_the_journal_has_and_the_blob_lacks_are_sent_again(
    storage: Storage, tmp_path: Path
) -> None:
    path, vhd = make_build(tmp_path / "builds")
    uploaded(storage, tmp_path / "builds")
    metadata = storage.client().get_blob_properties().metadata
    storage.client().clear_page(0, 64 << 10)
    storage.client().set_blob_metadata({**metadata, "bootimg_state": "begun"})
    before = storage.proxy.count("PutPage")
    uploaded(storage, tmp_path / "builds")
    assert storage.proxy.count("PutPage") - before == 1
    require_whole(storage, path, vhd)


def test_without_its_journal_a_begun_blob_is_continued(storage: Storage, tmp_path: Path) -> None:
    """As on another machine: everything is sent again, to the same blob."""
    path, vhd = make_build(tmp_path / "builds")
    killed_at(storage.proxy, "PutPage", 2, "upload", tmp_path / "builds", *storage.words)
    (path / JOURNAL).unlink()
    uploaded(storage, tmp_path / "builds")
    require_whole(storage, path, vhd)
    assert storage.proxy.count("PutBlob") == 1


def test_two_uploads_at_once(storage: Storage, tmp_path: Path) -> None:
    path, vhd = make_build(tmp_path / "builds")
    reached, go_on = threading.Event(), threading.Event()

    def plan(request: Request) -> Fault | None:
        if request.action == "PutPage":
            reached.set()
            go_on.wait(120)
        return None

    storage.proxy.plan = plan
    first = start("upload", tmp_path / "builds", *storage.words, "--json")
    assert reached.wait(120)
    error: BootimgError = failing("upload", tmp_path / "builds", *storage.words)
    assert error.id == "upload-running"
    go_on.set()
    output, _ = first.communicate(timeout=240)
    assert first.returncode == 0, output
    require_whole(storage, path, vhd)
