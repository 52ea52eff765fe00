"""Tokens of IBM Cloud's IAM: fetched once for all workers, with no retries but bootimg's."""

from __future__ import annotations

import threading
import time
from typing import Any

_SHARE = 0.75
"""The share of its life for which a token is used."""
_YOUNG = 60.0
"""Seconds for which a new token is not suspected if it is refused."""


class Tokens:
    """Gives the tokens of the SDK's token manager `source`, as the SDK asks for them.

    The SDK's own manager tries three times by itself, and hands out an empty token to a worker that waits too
    long for another one's call.
    """

    def __init__(self, source: Any) -> None:  # noqa: ANN401 - the SDK has no types
        self._source = source
        self._lock = threading.Lock()
        self._token = ""
        self._known: tuple[str, ...] = ()
        self._until = 0.0
        self._since = 0.0

    @property
    def known(self) -> tuple[str, ...]:
        """All tokens that were fetched."""
        return self._known

    def get_token(self) -> str:
        """A token that is valid; raises what the SDK and its HTTP library raise."""
        with self._lock:
            if time.monotonic() >= self._until:
                self._token = ""
                answer = self._source.auth_function()
                self._token, self._since = str(answer["access_token"]), time.monotonic()
                self._until = self._since + _SHARE * float(answer["expires_in"])
                self._known = (*self._known, self._token)
            return self._token

    def replace_old(self, began: float) -> bool:
        """Whether a call that began at this time, and was refused, may go well with another token.

        It may if its token is no longer the newest, or is not young; then the next call fetches a new one.
        """
        with self._lock:
            if not self._token:
                return False
            if self._since > began:
                return True
            old = time.monotonic() - self._since > _YOUNG
            if old:
                self._until = 0.0
            return old

    def set_from_config(self, config: Any) -> None:  # noqa: ANN401
        """Take the proxies of a client's configuration."""
        self._source.set_from_config(config)
