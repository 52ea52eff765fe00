"""Bounds what the SDKs of clouds read of a server's answer, which they hold in memory.

They read all of it, however long it is.  The SDKs are imported by their users only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import Any, TypeVar

from bootimg.errors import BootimgError
from bootimg.sizes import MIB, format_size

LIMIT = 64 * MIB
"""Bytes of an answer; the largest known ones list 1000 images in 4 MiB."""
PAGES = 1000
"""Pages of an answer."""
Page = TypeVar("Page")


def bound_requests(session: Any) -> None:  # noqa: ANN401 - the library is imported when it is used
    """Make a session of `requests` raise `server-answer-oversized` for an answer of more than LIMIT bytes."""

    def bound(response: Any, *_: object, **__: object) -> None:  # noqa: ANN401
        response.raw = _Bounded(response.raw, response.url)

    # The hook is called before the session reads the answer.
    session.hooks["response"].append(bound)


def bound_botocore(client: Any) -> None:  # noqa: ANN401
    """The same for a client of boto3 or of a library made from it; what is streamed stays unbounded."""
    endpoint = client._endpoint
    endpoint.http_session = _Http(endpoint.http_session)


def few_pages(pages: Iterable[Page], what: str) -> Iterator[Page]:
    """The pages of the answer to `what`; `server-answer-oversized` for more than PAGES."""
    for number, page in enumerate(pages):
        if number == PAGES:
            raise _oversized(what, f"more than {PAGES} pages")
        yield page


def _oversized(what: str, amount: str) -> BootimgError:
    # What follows the address may be a signature.
    return BootimgError(
        "server-answer-oversized",
        f"the answer of {what.partition('?')[0]:.300} has {amount}",
        hint="check the endpoint and the network's proxies: no cloud answers like this",
    )


class _Bounded:
    """An answer of urllib3 that is read up to LIMIT bytes."""

    def __init__(self, raw: Any, url: str) -> None:  # noqa: ANN401
        self._raw, self._url, self._left = raw, url, LIMIT

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self._raw, name)

    def stream(self, *words: object, **options: object) -> Iterator[bytes]:
        """The bytes, as the answer's own method has them."""
        for data in self._raw.stream(*words, **options):
            self._left -= len(data)
            if self._left < 0:
                self._raw.close()
                raise _oversized(self._url, f"more than {format_size(LIMIT)}")
            yield data


class _Http:
    """The HTTP session of an endpoint of botocore, which reads an answer up to LIMIT bytes."""

    def __init__(self, session: Any) -> None:  # noqa: ANN401
        self._session = session
        self._package = type(session).__module__.partition(".")[0]

    def send(self, request: Any) -> Any:  # noqa: ANN401
        """The answer to a request, read unless it is a stream."""
        streamed, request.stream_output = request.stream_output, True
        answer = self._session.send(request)
        if not streamed:
            answer.raw = _Read(self._content(request, answer))
        elif answer.status_code >= 300:
            # botocore reads an error of a stream by itself.
            answer.raw = _Bounded(answer.raw, answer.url)
        return answer

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def _content(self, request: Any, answer: Any) -> bytes:  # noqa: ANN401
        """The answer's bytes, with the exceptions that botocore's session has for urllib3's."""
        import urllib3.exceptions as plain

        errors = import_module(f"{self._package}.exceptions")
        try:
            return b"".join(_Bounded(answer.raw, answer.url).stream())
        except plain.ReadTimeoutError as error:
            raise errors.ReadTimeoutError(endpoint_url=request.url, error=error) from error
        except plain.ProtocolError as error:
            raise errors.ConnectionClosedError(
                error=error, request=request, endpoint_url=request.url
            ) from error
        except plain.HTTPError as error:
            raise errors.HTTPClientError(error=error) from error


class _Read:
    """An answer that was read."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def stream(self) -> Iterator[bytes]:
        """Its bytes."""
        yield self._data
