"""The rest of a blob from a byte on, by HTTP ranges: skopeo reads blobs only as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from bootimg.cloud.registries.connection import Connection
from bootimg.cloud.retry import TransientError
from bootimg.errors import BootimgError
from bootimg.layer.fetching.imageproxy import ImageProxy
from bootimg.layer.fetching.skopeo import RegistryOptions
from bootimg.layer.image.fetched import Blob

_TRIES = 3


class BlobSource:
    """Where a blob comes from: all of it from skopeo's proxy, the rest from the registry itself."""

    def __init__(self, repository: str, options: RegistryOptions) -> None:
        self._repository, self._options = repository, options
        self._failures = 0

    def chunks(self, proxy: ImageProxy, blob: Blob, at: int) -> Iterator[bytes]:
        """The blob's bytes from `at` on.

        A registry that sends no ranges sends everything, and what is there already is passed over.  So does
        skopeo, which knows mirrors, where the registry itself does not answer.
        """
        rest = self._rest(blob, at) if at and self._failures < _TRIES else None
        yield from _after(at, proxy.chunks(blob)) if rest is None else rest

    def _rest(self, blob: Blob, at: int) -> Iterator[bytes] | None:
        try:
            with suppress(BootimgError):
                connection = Connection(self._repository, self._options)
                path = f"blobs/{blob.digest}"
                # The registry asks for a login here; the login must not go where it redirects to.
                connection.request("HEAD", path)
                return _opened(connection, path, at)
        except TransientError:
            self._failures += 1
            raise
        return None


def _opened(connection: Connection, path: str, at: int) -> Iterator[bytes] | None:
    """The bytes from `at` on, None if the registry does not send them."""
    answer = connection.stream(path, {"Range": f"bytes={at}-", "Accept-Encoding": "identity"})
    if answer.status == 206 and answer.headers.get("content-range", "").startswith(f"bytes {at}-"):
        return answer.chunks()
    if answer.status == 200:
        return _after(at, answer.chunks())
    answer.close()
    return None


def _after(at: int, chunks: Iterator[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        left, at = chunk[at:], max(at - len(chunk), 0)
        if left:
            yield left
