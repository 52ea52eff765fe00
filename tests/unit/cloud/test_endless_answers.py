"""Servers whose answers have no end: each SDK stops reading at the limit."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import repeat
from pathlib import Path
from types import SimpleNamespace

import pytest

from bootimg.builds.bucket.s3client import Place
from bootimg.builds.bucket.tree import Bucket
from bootimg.cloud.calls import CallLog
from bootimg.cloud.journal import Journal
from bootimg.cloud.retry import Retry
from bootimg.cloud.settings import Settings
from bootimg.cloud.task import Means
from bootimg.errors import BootimgError
from bootimg.events import Events
from bootimg.sizes import MIB
from bootimg.untrusted import sdkanswers
from bootimg.untrusted.sdkanswers import PAGES, few_pages

CHUNK = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
CHUNKS = 1024
"""What the server sends at most: an SDK that reads on fails the test, and not the machine."""


class Endless(BaseHTTPRequestHandler):
    """Answers each call with blanks, chunk after chunk."""

    protocol_version = "HTTP/1.1"
    status = 200

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(self.status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            for _ in range(CHUNKS):
                self.wfile.write(CHUNK)
            self.wfile.write(b"0\r\n\r\n")
        except ConnectionError:
            self.close_connection = True

    do_GET = do_PUT = do_POST = answer

    def log_message(self, *words: object) -> None:
        """Nothing."""


@pytest.fixture(params=[200, 500])
def url(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server whose answers, of this status, have no end."""
    monkeypatch.setattr(sdkanswers, "LIMIT", MIB)
    handler = type("Handler", (Endless,), {"status": request.param})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        found = f"http://127.0.0.1:{server.server_port}"
        variables = {
            "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_MAX_ATTEMPTS": "1",
            "AWS_DEFAULT_REGION": "us-east-1", "AWS_ENDPOINT_URL": found, "STORAGE_EMULATOR_HOST": found,
        }  # fmt: skip
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        yield found
        server.shutdown()


def bucket(url: str, means: Means) -> object:
    pytest.importorskip("boto3")
    return Bucket(Place("bucket", endpoint=url)).put("a", b"b", None)


def bucket_object(url: str, means: Means) -> object:
    """An object may be larger, but it is no answer to the call if the status is no success."""
    pytest.importorskip("boto3")
    return Bucket(Place("bucket", endpoint=url)).digest("a")


def amazon(url: str, means: Means) -> object:
    pytest.importorskip("boto3")
    from bootimg_uploaders.aws.client import Aws

    return Aws(Settings("aws", {}), means).read("ec2", "us-east-1", "DescribeRegions")


def cos(url: str, means: Means) -> object:
    pytest.importorskip("ibm_boto3")
    from bootimg_uploaders.ibm.client import Cos

    return Cos(Settings("ibm", {"endpoint": url}), means).read("us-east", "ListBuckets")


def azure(url: str, means: Means) -> object:
    pytest.importorskip("azure.core")
    from azure.core.pipeline.transport import HttpRequest
    from bootimg_uploaders.azure.transport import transport

    return transport(1).send(HttpRequest("GET", url)).body()


def google(url: str, means: Means) -> object:
    pytest.importorskip("google.cloud.storage")
    from bootimg_uploaders.gcp.client import _Clients

    clients = _Clients(Settings("gcp", {"storage_endpoint": url}))
    return clients.storage.bucket("a").blob("b").exists(retry=None)


def compute(url: str, means: Means) -> object:
    pytest.importorskip("google.cloud.compute")
    from bootimg_uploaders.gcp.client import _Clients

    clients = _Clients(Settings("gcp", {"compute_endpoint": url}))
    return clients.images.get(request={"project": "a", "image": "b"}, retry=None)


def oss(url: str, means: Means) -> object:
    pytest.importorskip("alibabacloud_oss_v2")
    from alibabacloud_oss_v2 import models
    from bootimg_uploaders.aliyun.faults import converted
    from bootimg_uploaders.aliyun.sdk import make_oss

    found = SimpleNamespace(security_token="", access_key_id="x", access_key_secret="x")
    client = make_oss(lambda: found, "cn-x", url)
    with converted("x", str):
        return client.list_objects_v2(models.ListObjectsV2Request(bucket="bucket"))


ASK: list[Callable[[str, Means], object]] = [bucket, bucket_object, amazon, cos, azure, google, compute, oss]


@pytest.mark.parametrize("ask", ASK)
def test_no_answer_is_read_without_end(
    url: str, ask: Callable[[str, Means], object], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if ask is bucket_object and "[200" in request.node.name:
        pytest.skip("an object's size is bounded by the build's metadata")
    means = Means(
        calls=CallLog(),
        journal=Journal(None),
        retry=Retry(budget=0),
        events=Events(),
        workers=1,
    )
    with pytest.raises(BootimgError) as error:
        ask(url, means)
    assert error.value.id == "server-answer-oversized"
    assert "more than 1.0 MiB" in error.value.message


def test_pages_have_an_end() -> None:
    assert list(few_pages(repeat(1, PAGES), "x")) == [1] * PAGES
    with pytest.raises(BootimgError) as error:
        list(few_pages(repeat(1), "x"))
    assert error.value.id == "server-answer-oversized"
