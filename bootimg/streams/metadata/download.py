"""Reading over HTTP: bounded in size and time, tried again where the server may only be busy."""

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
# S3 answers 403 where there is nothing, to whoever may not list the bucket.
_ABSENT = {403, 404, 410}
_ERRORS = (urllib.error.URLError, http.client.HTTPException, OSError)


@dataclass(frozen=True, slots=True)
class Downloaded:
    """Digest and size of what a URL has."""

    sha256: str
    size: int


def is_http(url: str) -> bool:
    """Whether it is an absolute URL of http or https, all of it printable and without spaces."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and _is_plain(url)
    except ValueError:
        return False


def _is_plain(url: str) -> bool:
    return url.isprintable() and " " not in url


def require_http(url: str) -> str:
    """The URL without its final slashes, if it is an absolute one of http or https."""
    if not is_http(url):
        raise BootimgError(
            "stream-url-invalid",
            f"{url!r:.200} is no URL of http or https",
            hint="name where the builds of all streams are, such as"
            " https://rhcos.mirror.openshift.com/art/storage/prod/streams",
            exit_code=ExitCode.USAGE,
        )
    return url.rstrip("/")


def get(url: str, limit: int) -> bytes:
    """What a URL has, of at most `limit` bytes and within five minutes; `download-failed` otherwise."""
    with _told(url):
        return _read(url, limit)


def find(url: str, limit: int) -> bytes | None:
    """The same, and None where the server says that it has nothing there."""
    with _told(url):
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
    """Digest and size of what a URL has, at most `limit` bytes; `put` gets it piece by piece."""
    sha256, size = hashlib.sha256(), 0
    # What goes wrong in `put` is no fault of the server's.
    for chunk in _told_chunks(url):
        sha256.update(chunk)
        size += len(chunk)
        if limit is not None and size > limit:
            raise _failed(url, f"it has more than {limit} bytes")
        put(chunk)
    return Downloaded(sha256.hexdigest(), size)


def _told_chunks(url: str) -> Iterator[bytes]:
    chunks = _chunks(url)
    while True:
        with _told(url):
            chunk = next(chunks, None)
        if chunk is None:
            return
        yield chunk


def _chunks(url: str) -> Iterator[bytes]:
    with _open(require_http(url)) as response:
        expected = response.headers.get("Content-Length")
        size = 0
        # read1 returns with what there is: a server that trickles is seen by whoever counts the time.
        while chunk := response.read1(_CHUNK):
            size += len(chunk)
            yield chunk
    if expected is not None and expected != str(size):
        raise _failed(url, f"it ended after {size} of {expected} bytes")


@contextmanager
def _told(url: str) -> Iterator[None]:
    """What fails on the way is the error `download-failed`."""
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
    """One for http and https alone: urllib's own would follow a redirection to file: or ftp: too."""
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
