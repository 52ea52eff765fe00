"""A resumable upload of Cloud Storage: one session, to which a file is sent chunk by chunk.

Cloud Storage knows how much of the file it has.  So whoever has the session's address can continue.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bootimg.cloud.plugin import MIB, TransientError

from .client import TIMEOUT, Gcp
from .faults import GcpError, of_answer

CHUNK = 8 * MIB
"""Bytes of a chunk; a multiple of 256 KiB, as Cloud Storage requires."""
_WORKING, _GONE = 308, (404, 410)


@dataclass(frozen=True, slots=True)
class State:
    """How much of the file has arrived; `made` describes the object once it is whole."""

    offset: int
    made: Mapping[str, Any] | None = None


class SessionGoneError(Exception):
    """Cloud Storage does not know the session any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """The session at an address for a file of `size` bytes with this checksum; `what` names it."""

    gcp: Gcp
    address: str
    size: int
    crc32c: str
    what: str

    def state(self) -> State:
        """How much has arrived."""
        return self._known(self._ask)

    def send(self, data: bytes, offset: int) -> State:
        """Send a chunk and return how much has arrived then.

        Before a chunk is sent again, Cloud Storage is asked how much of it has arrived.
        """
        again = False

        def work() -> State:
            nonlocal again
            state = self._ask() if again else None
            again = True
            if state and (state.made or state.offset != offset):
                return state
            state = self._put(data, offset)
            if state.offset < offset:
                raise TransientError("the answer lost what it said of the bytes before")
            return state

        return self._known(work)

    def _known(self, work: Callable[[], State]) -> State:
        try:
            return self.gcp.read(self.what, work, expected=_GONE)
        except GcpError:
            raise SessionGoneError from None

    def _ask(self) -> State:
        return self._request(b"", {"Content-Range": f"bytes */{self.size}"})

    def _put(self, data: bytes, offset: int) -> State:
        end = offset + len(data)
        headers = {"Content-Range": f"bytes {offset}-{end - 1}/{self.size}"}
        if end == self.size:
            # Cloud Storage makes no object of a file with another checksum.
            headers["X-Goog-Hash"] = f"crc32c={self.crc32c}"
        return self._request(data, headers)

    def _request(self, data: bytes, headers: dict[str, str]) -> State:
        answer = self.gcp.clients.session.put(
            self.address, data=data, headers=headers, timeout=TIMEOUT, allow_redirects=False
        )
        if answer.status_code == _WORKING:
            last = answer.headers.get("Range", "").rpartition("-")[2]
            return State(int(last) + 1 if last.isdigit() else 0)
        if answer.ok:
            return State(self.size, answer.json())
        raise of_answer(self.what, answer, answer.status_code, self.gcp.scrub(answer.text[:300]))
