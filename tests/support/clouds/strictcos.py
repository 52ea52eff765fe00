"""IBM Cloud Object Storage and the token service of IBM Cloud: moto's S3, with what is IBM's own before it.

A bucket is known only at the endpoint of its region; here that is the first part of the path.  Requests have
a token of the service, or are signed with the access key.  A part is compared with its MD5.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.s3.models import S3Backend, s3_backends

from tests.support.clouds.s3server import serving_s3

ACCOUNT = "123456789012"
API_KEY = "ibm-api-key-EXAMPLE"
ACCESS_KEY, SECRET_KEY = "hmacaccesskeyEXAMPLE", "hmacsecretkeyEXAMPLE"
_ERROR = "<Error><Code>{}</Code><Message>{}</Message><Resource/><RequestId>1</RequestId></Error>"
Start = Callable[[str, list[tuple[str, str]]], Any]


@dataclass
class StrictCos:
    """What the tests see and set.

    `failing` are regions whose storage refuses to copy, with the error's code.  `tokens` are those that are
    valid, `life` how many seconds a new one is.  `iam_failures` are the statuses of the next token requests.
    """

    url: str = ""
    failing: dict[str, str] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)
    token_requests: list[dict[str, str]] = field(default_factory=list)
    iam_failures: list[int] = field(default_factory=list)
    life: int = 3600
    keys: set[str] = field(default_factory=lambda: {API_KEY})
    regions: dict[str, str] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def make_bucket(self, name: str, region: str) -> None:
        """Make a bucket, as its owner does."""
        self.regions[name] = region
        self._backend.create_bucket(name, "us-east-1")

    def objects(self, bucket: str) -> dict[str, Any]:
        """The objects of a bucket."""
        return {key: self._backend.get_object(bucket, key) for key in self._backend.buckets[bucket].keys}

    def data(self, bucket: str, key: str) -> bytes:
        """The content of an object."""
        found: bytes = self.objects(bucket)[key].value
        return found

    def uploads(self, bucket: str) -> list[str]:
        """The open uploads of a bucket."""
        return list(self._backend.buckets[bucket].multiparts)

    def drop_uploads(self, bucket: str) -> None:
        """Drop the open uploads of a bucket, as a rule of its life cycle does."""
        self._backend.buckets[bucket].multiparts.clear()

    def is_public(self, bucket: str, key: str) -> bool:
        """Whether everybody may read an object."""
        acl = self.objects(bucket)[key].acl
        return bool(acl and acl.public_read)

    @property
    def _backend(self) -> S3Backend:
        found: S3Backend = s3_backends[ACCOUNT]["aws"]
        return found


class _Refused(Exception):
    def __init__(self, status: str, code: str, text: str = "refused") -> None:
        super().__init__(code)
        self.status, self.body = status, _ERROR.format(code, text).encode()


def _token(cos: StrictCos, form: dict[str, str]) -> tuple[str, dict[str, Any]]:
    """The answer of the token service to a form."""
    cos.token_requests.append(form)
    if cos.iam_failures:
        return f"{cos.iam_failures.pop(0)} Failed", {"errorCode": "BXNIM0000E", "errorMessage": "busy"}
    assert form["grant_type"] == "urn:ibm:params:oauth:grant-type:apikey"
    if form["apikey"] not in cos.keys:
        text = f"Provided API key could not be found: {form['apikey']}"
        return "400 Bad Request", {"errorCode": "BXNIM0415E", "errorMessage": text}
    token = f"eyJtoken{len(cos.token_requests)}EXAMPLE"
    cos.tokens.add(token)
    return "200 OK", {"access_token": token, "refresh_token": "not_supported", "token_type": "Bearer",
                      "expires_in": cos.life, "expiration": 1}  # fmt: skip


def _check(cos: StrictCos, environ: dict[str, Any], region: str) -> None:
    """Refuse what the storage refuses."""
    words = environ.get("HTTP_AUTHORIZATION", "")
    known = words.removeprefix("Bearer ") in cos.tokens or f"Credential={ACCESS_KEY}/" in words
    if not known:
        raise _Refused("403 Forbidden", "AccessDenied", "Access Denied")
    path, query = environ["PATH_INFO"], parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    bucket = path.strip("/").partition("/")[0]
    if cos.regions.get(bucket) != region:
        raise _Refused("404 Not Found", "NoSuchBucket", "The specified bucket does not exist.")
    if "HTTP_X_AMZ_COPY_SOURCE" in environ and region in cos.failing:
        raise _Refused("400 Bad Request", cos.failing[region])
    if "partNumber" in query and "HTTP_X_AMZ_COPY_SOURCE" not in environ:
        data = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        environ["wsgi.input"] = io.BytesIO(data)
        digest = base64.b64encode(hashlib.md5(data).digest()).decode()
        if environ.get("HTTP_CONTENT_MD5") != digest:
            raise _Refused("400 Bad Request", "BadDigest")


def _application(cos: StrictCos) -> Callable[[dict[str, Any], Start], Iterable[bytes]]:
    backend = DomainDispatcherApplication(create_backend_app)

    def answer(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/identity/token":
            form = parse_qs(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])).decode())
            with cos.lock:
                status, document = _token(cos, {key: value[0] for key, value in form.items()})
            start(status, [("Content-Type", "application/json")])
            return [json.dumps(document).encode()]
        region, _, rest = environ["PATH_INFO"].lstrip("/").partition("/")
        environ["PATH_INFO"] = environ["RAW_URI"] = environ["REQUEST_URI"] = f"/{rest}"
        if environ.get("QUERY_STRING"):
            environ["RAW_URI"] = environ["REQUEST_URI"] = f"/{rest}?{environ['QUERY_STRING']}"
        try:
            _check(cos, environ, region)
        except _Refused as error:
            start(error.status, [("Content-Type", "application/xml")])
            return [] if environ["REQUEST_METHOD"] == "HEAD" else [error.body]
        # moto knows the service by the signature, of which a token has none.
        environ["HTTP_AUTHORIZATION"] = "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/s3/aws4_request"
        found: Iterable[bytes] = backend(environ, start)
        return found

    return answer


@contextmanager
def strict_cos() -> Iterator[StrictCos]:
    """A running server."""
    cos = StrictCos()
    with serving_s3(_application(cos)) as cos.url:
        yield cos
