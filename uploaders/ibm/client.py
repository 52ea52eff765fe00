"""IBM Cloud Object Storage by its SDK: every call goes through bootimg's retries, with the SDK's own off."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from bootimg.cloud.plugin import (
    BootimgError,
    Call,
    Means,
    Session,
    Settings,
    TransientError,
    bound_botocore,
    sdk_missing,
)

from .faults import converted, no_credentials
from .tokens import Tokens

Json = dict[str, Any]
ENDPOINT = "https://s3.{region}.cloud-object-storage.appdomain.cloud"
_REFUSALS = ("cloud-credentials-refused", "cloud-permission-missing")
_TIMEOUT = 60.0
COPY_TIMEOUT = 30 * 60.0
"""Seconds for a copy, whose answer comes at its end."""


class Cos(Session):
    """The clients of one session, by region.

    `read` calls change nothing.  `write` calls go through the log of calls.
    """

    def __init__(self, settings: Settings, means: Means) -> None:
        try:
            import ibm_boto3
        except ImportError:
            raise sdk_missing("ibm-cos-sdk", "ibm") from None
        super().__init__(means)
        self._endpoint = settings.endpoint("endpoint") or ENDPOINT
        self._clients: dict[tuple[str, float], Any] = {}
        self._making = threading.Lock()
        self._secrets: tuple[str, ...] = ()
        self._tokens: Tokens | None = None
        with converted("the look for credentials", self.scrub):
            self._session = ibm_boto3.session.Session(profile_name=settings.text("profile"))
            found = self._session.get_credentials()
            if found is None:
                raise no_credentials("")
            self._keep(found)

    def _keep(self, found: Any) -> None:  # noqa: ANN401 - the SDK has no types
        from ibm_botocore.credentials import OAuth2Credentials

        if isinstance(found, OAuth2Credentials):
            self._tokens = Tokens(found.token_manager)
            self._secrets = (str(found.api_key_id),)
        else:
            frozen = found.get_frozen_credentials()
            self._secrets = tuple(filter(None, (frozen.access_key, frozen.secret_key, frozen.token)))

    def scrub(self, text: str) -> str:
        """A text without the credentials."""
        for secret in (*self._secrets, *(self._tokens.known if self._tokens else ())):
            text = text.replace(secret, "[hidden]")
        return text

    def read(
        self,
        region: str,
        operation: str,
        *,
        expected: Sequence[str] = (),
        needs: str | None = None,
        timeout: float = _TIMEOUT,
        **parameters: Any,  # noqa: ANN401
    ) -> Json:
        """The answer to a call that changes nothing.

        An error with one of the codes `expected` is raised as `CosError`.  An answer without the key `needs`
        counts as lost: the SDK makes an empty answer of one that was cut off.
        """
        what = f"cos:{operation} in {region}"

        def call() -> Json:
            began = time.monotonic()
            try:
                with converted(what, self.scrub):
                    client = self._client(region, timeout)
                    answer: Json = getattr(client, _method(operation))(**parameters)
            except BootimgError as error:
                # A token can end before its time, for instance while the machine sleeps.
                if error.id in _REFUSALS and self._tokens and self._tokens.replace_old(began):
                    raise TransientError("the token is refused") from None
                raise
            if needs is not None and needs not in answer:
                raise TransientError("the answer was cut off")
            return answer

        return self.repeated(what, call, expected)

    def write(
        self,
        region: str,
        operation: str,
        *,
        instead: Mapping[str, Any] | None = None,
        expected: Sequence[str] = (),
        needs: str | None = None,
        **parameters: Any,  # noqa: ANN401
    ) -> Json:
        """The answer to a call that changes something, or `instead` of it in a dry run."""
        call = Call(place=region, operation=f"cos:{operation}", parameters=parameters)
        timeout = COPY_TIMEOUT if operation == "CopyObject" else _TIMEOUT
        return self.means.calls.make(
            call,
            lambda: self.read(
                region, operation, expected=expected, needs=needs, timeout=timeout, **parameters
            ),
            dict(instead or {}),
        )

    def _client(self, region: str, timeout: float) -> Any:  # noqa: ANN401
        from ibm_botocore.config import Config

        # A session may not make two clients at a time.
        with self._making:
            if (region, timeout) not in self._clients:
                config = Config(
                    signature_version="oauth" if self._tokens else "s3v4",
                    s3={"addressing_style": "path"},
                    retries={"total_max_attempts": 1, "mode": "standard"},
                    connect_timeout=_TIMEOUT,
                    read_timeout=timeout,
                    max_pool_connections=max(self.means.workers, 10),
                    user_agent_extra="bootimg",
                )
                client = self._session.client(
                    "s3",
                    region_name=region,
                    endpoint_url=self._endpoint.replace("{region}", region),
                    config=config,
                    token_manager=self._tokens,
                )
                bound_botocore(client)
                self._clients[region, timeout] = client
            return self._clients[region, timeout]


def _method(operation: str) -> str:
    from ibm_botocore import xform_name

    return str(xform_name(operation))
