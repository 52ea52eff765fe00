"""One HTTP request to a registry: with a limit on the answer, or for a blob as a stream."""

from __future__ import annotations

import http.client
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bootimg.cloud.retry import TransientError
from bootimg.sizes import MIB

LIMIT = 4 * MIB
"""The most bytes of a manifest, as in skopeo."""
_TIMEOUT = 60.0
_CHUNK = MIB


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, headers by their names in lower case, and at most `LIMIT` + 1 bytes of the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Streamed:
    """A status, headers by their names in lower case, and the body as it comes."""

    status: int
    headers: Mapping[str, str]
    body: Any = field(repr=False)

    def chunks(self) -> Iterator[bytes]:
        """The body; `TransientError` if it ends early."""
        with self.body as body:
            try:
                while chunk := body.read(_CHUNK):
                    yield chunk
            except (http.client.HTTPException, OSError) as error:
                raise _passing(error) from None

    def close(self) -> None:
        """Leave the body unread."""
        self.body.close()


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Manifests are not redirected, and a login must not follow to another host."""

    def redirect_request(self, *_: Any) -> None:  # noqa: ANN401
        """Refuse to follow."""


class _KeepTls(urllib.request.HTTPRedirectHandler):
    """Blobs are where the registry says, but not without TLS if the registry has it."""

    def redirect_request(self, req: Any, *words: Any) -> Any:  # noqa: ANN401
        """Refuse to leave TLS."""
        if req.type == "https" and not str(words[-1]).startswith("https:"):
            return None
        return super().redirect_request(req, *words)


class Transport:
    """Sends requests, by the proxies of the environment."""

    def __init__(self, context: ssl.SSLContext) -> None:
        https = urllib.request.HTTPSHandler(context=context)
        self._opener = urllib.request.build_opener(https, _NoRedirect)
        self._following = urllib.request.build_opener(https, _KeepTls)

    def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, authorization: str
    ) -> Answer:
        """The answer, whatever its status is; `TransientError`, or URLError without a connection."""
        request = urllib.request.Request(url, data=body, method=method)
        for name, value in headers.items():
            request.add_header(name, value)
        if authorization:
            # A header of this kind is not sent to a proxy.
            request.add_unredirected_header("Authorization", authorization)
        try:
            with self._opener.open(request, timeout=_TIMEOUT) as answer:
                return _answer(answer.status, answer.headers, answer.read(LIMIT + 1))
        except urllib.error.HTTPError as error:
            with error:
                return _answer(error.code, error.headers, error.read(LIMIT + 1))
        except (http.client.HTTPException, TimeoutError, ConnectionError) as error:
            raise _passing(error) from None

    def stream(self, url: str, headers: Mapping[str, str], authorization: str) -> Streamed:
        """The answer to GET, with redirects followed, whatever its status is; errors as for `send`."""
        request = urllib.request.Request(url, headers=dict(headers))
        if authorization:
            # Nor does it follow to another host.
            request.add_unredirected_header("Authorization", authorization)
        try:
            answer = self._following.open(request, timeout=_TIMEOUT)
        except urllib.error.HTTPError as error:
            answer = error
        except (http.client.HTTPException, TimeoutError, ConnectionError) as error:
            raise _passing(error) from None
        return Streamed(answer.status, _lower(answer.headers), answer)


def _answer(status: int, headers: Any, body: bytes) -> Answer:  # noqa: ANN401
    return Answer(status, _lower(headers), body)


def _lower(headers: Any) -> dict[str, str]:  # noqa: ANN401
    return {key.lower(): str(value) for key, value in headers.items()}


def _passing(error: Exception) -> TransientError:
    return TransientError(f"{type(error).__name__}: {error}"[:200])
