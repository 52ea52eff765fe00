"""Uploads to IBM's object storage that are killed (SIGKILL) at each journal record, and continued."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import threading

from tests.integration.clouds.commands import invoke
from tests.integration.clouds.ibm.site import HOME, SMALL_PARTS, Site
from tests.support.clouds.faultproxy import Fault, Request
from tests.support.clouds.killedverbs import killed_after_record

WORKERS = 2


def upload_killed(site: Site, number: int, workers: int) -> bool:
    return killed_after_record(number, SMALL_PARTS, invoke, "upload", site.builds, *site.words, "-j", workers)


def test_an_upload_that_is_killed_at_each_record_continues(site: Site) -> None:
    site.build()
    whole, journal = site.artifact().read_bytes(), site.path / ".bootimg-upload-ibmcloud.ndjson"
    shutil.copytree(site.builds, site.builds.parent / "kept", symlinks=True)
    parts = -(-len(whole) // (512 << 10))
    # The beginning, each part, and the end.
    for number in range(1, parts + 3):
        shutil.rmtree(site.builds)
        shutil.copytree(site.builds.parent / "kept", site.builds, symlinks=True)
        site.proxy.requests.clear()
        assert upload_killed(site, number, WORKERS)
        assert len(journal.read_text().splitlines()) >= number
        site.run("upload", "-j", WORKERS)
        assert site.parts_sent() <= parts + WORKERS
        assert site.stored() == whole
        assert site.cos.uploads(f"art-{HOME}") == []
        assert [each["object"] for each in site.entries()] == [site.name]
        assert site.retire() == {HOME: "done"}
    assert not upload_killed(site, parts + 3, WORKERS)


def test_an_upload_that_is_killed_before_its_end_was_recorded_finds_the_object(site: Site) -> None:
    site.build()

    def work() -> None:
        def plan(request: Request) -> Fault | None:
            return Fault(drop="after") if "uploadId" in request.path and request.method == "POST" else None

        site.proxy.plan = plan
        site.error("upload", "--retry-for", "1s")

    work()
    assert site.cos.uploads(f"art-{HOME}") == []
    site.proxy.plan = lambda request: None
    assert site.run("upload")[HOME]["state"] == "was there"
    assert [each["region"] for each in site.entries()] == [HOME]


def test_an_upload_that_the_bucket_has_dropped_begins_anew(site: Site) -> None:
    site.build()
    assert upload_killed(site, 2, 1)
    site.cos.drop_uploads(f"art-{HOME}")
    site.run("upload")
    assert site.stored() == site.artifact().read_bytes()


def test_two_uploads_at_once(site: Site) -> None:
    site.build()
    reached, go_on = threading.Event(), threading.Event()

    def plan(request: Request) -> Fault | None:
        if "partNumber" in request.path:
            reached.set()
            go_on.wait(60)
        return None

    site.proxy.plan = plan
    argv = [sys.executable, "-m", "bootimg", "upload", "-o", str(site.builds), "--cache",
            str(site.builds.parent / "cache"), *site.words]  # fmt: skip
    first = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert reached.wait(120)
    error = site.refusal("upload")
    assert error.id == "upload-running"
    assert json.loads(error.context[0])["pid"] == first.pid
    first.send_signal(signal.SIGCONT)
    go_on.set()
    output, _ = first.communicate(timeout=120)
    assert first.returncode == 0, output
    assert len(site.entries()) == len(site.cos.objects(f"art-{HOME}")) == 1
