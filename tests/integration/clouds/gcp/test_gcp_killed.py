"""Uploads to GCP that are killed (SIGKILL), and continued."""

from __future__ import annotations

import json
import os
import signal
import stat
import threading
from pathlib import Path

import pytest

from tests.integration.clouds.commands import failing, meta
from tests.integration.clouds.gcp.commands import FAMILY, KEY, NAME, bucket, family, upload, words
from tests.integration.clouds.gcp.conftest import PROJECT
from tests.support.clouds.faultproxy import Fault, Proxy, Request
from tests.support.clouds.preloaded import Preloaded
from tests.support.clouds.strictgoogle import StrictGoogle

CHUNKS = 3


class Uploading:
    """A process that uploads the build."""

    def __init__(
        self, program: Preloaded, proxy: Proxy, tmp_path: Path, *more: str, records: int = 0
    ) -> None:
        argv = ["upload", "-o", str(tmp_path / "builds"), "--cache", str(tmp_path / "cache"), "--json",
                *words(proxy), *bucket(), "--public", *family(), *more]  # fmt: skip
        self.program, self.output = program, tmp_path / "output"
        self.pid = program.start(argv, self.output, records=records)

    def ends(self, code: int) -> None:
        assert self.program.wait(self.pid) == code, self.output.read_text()


def check(google: StrictGoogle, proxy: Proxy, build: Path, *, sent: int = CHUNKS) -> None:
    """One object and one image, as after an upload that nobody disturbed."""
    assert google.objects() == [KEY]
    assert google.object(KEY) == (build / meta(build)["images"]["gcp"]["path"]).read_bytes()
    assert len(google.compute.inserted) == len(google.compute.images) == 1
    image = google.compute.images[PROJECT, NAME]
    assert (image["status"], image["family"]) == ("READY", FAMILY)
    assert image["deprecated"]["state"] == "DEPRECATED"
    (binding,) = google.compute.policies[PROJECT, NAME]["bindings"]
    assert binding["members"] == ["allAuthenticatedUsers"]
    assert meta(build)["gcp"]["image"] == NAME
    assert proxy.count("chunk") <= sent


@pytest.mark.parametrize("records", [1, 2, 3, 4])
def test_killed_at_each_record_of_the_journal(
    records: int,
    program: Preloaded,
    google: StrictGoogle,
    proxy: Proxy,
    build: tuple[Path, Path],
    tmp_path: Path,
) -> None:
    Uploading(program, proxy, tmp_path, records=records).ends(-signal.SIGKILL)
    upload(tmp_path / "builds", proxy, "--public", *family())
    check(google, proxy, build[0])
    journal = build[0] / ".bootimg-upload-gcp.ndjson"
    steps = [json.loads(line) for line in journal.read_text().splitlines()]
    assert [(each["step"], each["state"]) for each in steps][:2] == [("object", "begun"), ("object", "done")]
    # The address of the session is in it.
    assert not journal.stat().st_mode & stat.S_IRWXO


@pytest.mark.parametrize(
    ("action", "number"),
    [("begin", 1), ("chunk", 1), ("chunk", 2), ("chunk", 3), ("images.insert", 1), ("images.deprecate", 1),
     ("images.patch", 1), ("images.setIamPolicy", 1)],
)  # fmt: skip
def test_killed_at_each_call(
    action: str,
    number: int,
    program: Preloaded,
    google: StrictGoogle,
    proxy: Proxy,
    build: tuple[Path, Path],
    tmp_path: Path,
) -> None:
    """The process is killed after the server has done what the call asks for."""
    seen, born = 0, threading.Event()

    def plan(request: Request) -> Fault | None:
        nonlocal seen
        seen += request.action == action
        if request.action == action and seen == number:
            born.wait(60)
            os.kill(process.pid, signal.SIGKILL)
            return Fault(drop="after")
        return None

    proxy.plan = plan
    process = Uploading(program, proxy, tmp_path)
    born.set()
    process.ends(-signal.SIGKILL)
    proxy.plan = lambda request: None
    upload(tmp_path / "builds", proxy, "--public", *family())
    check(google, proxy, build[0])


def test_killed_while_a_chunk_is_under_way(
    program: Preloaded, google: StrictGoogle, proxy: Proxy, build: tuple[Path, Path], tmp_path: Path
) -> None:
    """That chunk alone is sent again."""
    born = threading.Event()

    def plan(request: Request) -> Fault | None:
        if request.action == "chunk" and proxy.count("chunk") == 2:
            born.wait(60)
            os.kill(process.pid, signal.SIGKILL)
            return Fault(drop="before")
        return None

    proxy.plan = plan
    process = Uploading(program, proxy, tmp_path)
    born.set()
    process.ends(-signal.SIGKILL)
    proxy.plan = lambda request: None
    upload(tmp_path / "builds", proxy, "--public", *family())
    check(google, proxy, build[0], sent=CHUNKS + 1)


def test_a_session_that_google_forgot_is_begun_anew(
    program: Preloaded, google: StrictGoogle, proxy: Proxy, build: tuple[Path, Path], tmp_path: Path
) -> None:
    Uploading(program, proxy, tmp_path, records=1).ends(-signal.SIGKILL)
    google.uploads.clear()
    upload(tmp_path / "builds", proxy, "--public", *family())
    check(google, proxy, build[0])
    assert proxy.count("begin") == 2


def test_two_uploads_at_once(
    program: Preloaded, google: StrictGoogle, proxy: Proxy, build: tuple[Path, Path], tmp_path: Path
) -> None:
    reached, go_on = threading.Event(), threading.Event()

    def plan(request: Request) -> Fault | None:
        if request.action == "chunk":
            reached.set()
            go_on.wait(60)
        return None

    proxy.plan = plan
    first = Uploading(program, proxy, tmp_path)
    assert reached.wait(120)
    error = failing("upload", tmp_path / "builds", *words(proxy), *bucket())
    assert error.id == "upload-running"
    assert json.loads(error.context[0])["pid"] == first.pid
    go_on.set()
    first.ends(0)
    check(google, proxy, build[0])
