"""Reading over HTTP with limits of size and time, and retries if the server is busy."""

from __future__ import annotations

import hashlib
import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from bootimg.errors import BootimgError, ExitCode
from bootimg.sizes import MIB

TRIES = 3
_PAUSE = 1.0
_SILENCE = 60.0
_PATIENCE = 300.0
_CHUNK = MIB
_BUSY = {408, 429, 500, 502, 503, 504}
# S3 answers 403 for a missing object to clients without the right to list the bucket.
_ABSENT = {403, 404, 410}
_ERRORS = (urllib.error.URLError, http.client.HTTPException, OSError)


@dataclass(frozen=True, slots=True)
class Downloaded:
    """Digest and size in bytes of the content of a URL."""

    sha256: str
    size: int


def is_http(url: str) -> bool:
    """Whether it is an absolute URL of http or https, printable and without spaces."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and _is_plain(url)
    except ValueError:
        return False


def _is_plain(url: str) -> bool:
    return url.isprintable() and " " not in url


def require_http(url: str) -> str:
    """The URL without trailing slashes; `stream-url-invalid` unless it is absolute and http or https."""
    if not is_http(url):
        raise BootimgError(
            "stream-url-invalid",
            f"{url!r:.200} is not a URL of http or https",
            hint="use the URL of the folder of all streams, such as"
            " https://rhcos.mirror.openshift.com/art/storage/prod/streams",
            exit_code=ExitCode.USAGE,
        )
    return url.rstrip("/")


def get(url: str, limit: int) -> bytes:
    """The content of a URL, at most `limit` bytes within five minutes; `download-failed` otherwise."""
    with _failures(url):
        return _read(url, limit)


def find(url: str, limit: int) -> bytes | None:
    """The content of a URL, as `get`; None if the server says that it does not exist."""
    with _failures(url):
        try:
            return _read(url, limit)
        except urllib.error.HTTPError as error:
            if error.code in _ABSENT:
                return None
            raise


def _read(url: str, limit: int) -> bytes:
    data, deadline = b"", time.monotonic() + _PATIENCE
    for chunk in _chunks(url):
        data += chunk
        if time.monotonic() > deadline:
            raise _failed(url, f"it takes longer than {_PATIENCE:.0f} seconds")
        if len(data) > limit:
            raise _failed(url, f"it has more than {limit} bytes")
    return data


def digest(
    url: str, put: Callable[[bytes], None] = lambda _: None, *, limit: int | None = None
) -> Downloaded:
    """Digest and size of the content of a URL, at most `limit` bytes; `put` gets the content in chunks."""
    sha256, size = hashlib.sha256(), 0
    # An error in `put` must not become `download-failed`.
    for chunk in _checked_chunks(url):
        sha256.update(chunk)
        size += len(chunk)
        if limit is not None and size > limit:
            raise _failed(url, f"it has more than {limit} bytes")
        put(chunk)
    return Downloaded(sha256.hexdigest(), size)


def _checked_chunks(url: str) -> Iterator[bytes]:
    chunks = _chunks(url)
    while True:
        with _failures(url):
            chunk = next(chunks, None)
        if chunk is None:
            return
        yield chunk


def _chunks(url: str) -> Iterator[bytes]:
    with _open(require_http(url)) as response:
        expected = response.headers.get("Content-Length")
        size = 0
        # read1 returns available data at once, so that callers can time out on a slow server.
        while chunk := response.read1(_CHUNK):
            size += len(chunk)
            yield chunk
    if expected is not None and expected != str(size):
        raise _failed(url, f"it ended after {size} of {expected} bytes")


@contextmanager
def _failures(url: str) -> Iterator[None]:
    """Convert network errors in the body to `download-failed`."""
    try:
        yield
    except _ERRORS as error:
        raise _failed(url, str(error)) from None


def _open(url: str) -> http.client.HTTPResponse:
    for attempt in range(TRIES):
        if attempt:
            time.sleep(_PAUSE * attempt)
        try:
            response: http.client.HTTPResponse = _opener().open(url, timeout=_SILENCE)
            return response
        except _ERRORS as error:
            final = isinstance(error, urllib.error.HTTPError) and error.code not in _BUSY
            if final or attempt == TRIES - 1:
                raise
    raise AssertionError(TRIES)


def _opener() -> urllib.request.OpenerDirector:
    """An opener for http and https only: urllib's default would also follow redirects to file: or ftp:."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener


def _failed(url: str, why: str) -> BootimgError:
    return BootimgError(
        "download-failed",
        f"{url} cannot be read: {why}",
        hint="check the URL, the name of the stream and the build's id",
    )
