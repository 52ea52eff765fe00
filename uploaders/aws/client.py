"""AWS by boto3: every call goes through bootimg's retries, with boto3's own switched off."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bootimg.cloud.plugin import (
    Call,
    Means,
    Session,
    Settings,
    TransientError,
    bound_botocore,
    few_pages,
    sdk_missing,
)

from .faults import converted, no_credentials

Json = dict[str, Any]
_FRESH = 180.0
"""Seconds for which a thing that was made just now may be unknown to AWS."""
_TIMEOUT = 60.0


class Aws(Session):
    """The clients of one session, by service and region.

    `read` calls change nothing.  `write` calls go through the log of calls.
    """

    def __init__(self, settings: Settings, means: Means) -> None:
        try:
            import boto3
        except ImportError:
            raise sdk_missing("boto3", "aws") from None
        super().__init__(means)
        self._clients: dict[tuple[str, str], Any] = {}
        self._making = threading.Lock()
        self._secrets: tuple[str, ...] = ()
        with converted("the look for credentials", fresh=False, scrub=self.scrub):
            self._session = boto3.session.Session(profile_name=settings.text("profile"))
            found = self._session.get_credentials()
            if found is None:
                raise no_credentials("")
            frozen = found.get_frozen_credentials()
        self._secrets = tuple(filter(None, (frozen.access_key, frozen.secret_key, frozen.token)))

    def scrub(self, text: str) -> str:
        """A text without the credentials."""
        for secret in self._secrets:
            text = text.replace(secret, "[hidden]")
        return text

    def partition(self, region: str) -> str:
        """The partition of a region: aws, aws-us-gov, aws-cn …"""
        from botocore.exceptions import UnknownRegionError

        try:
            return str(self._session.get_partition_for_region(region))
        except UnknownRegionError:
            return "aws"

    def read(
        self,
        service: str,
        region: str,
        operation: str,
        *,
        fresh: bool = False,
        expected: Sequence[str] = (),
        needs: str | None = None,
        **parameters: Any,  # noqa: ANN401
    ) -> Json:
        """The answer to a call that changes nothing; `fresh` as in `converted`.

        An error with one of the codes `expected` is raised as `AwsError`.  An answer without the key `needs`
        counts as lost: boto3 makes an empty answer of JSON that was cut off.
        """
        what, began = f"{service}:{operation} in {region}", time.monotonic()

        def call() -> Json:
            young = fresh and time.monotonic() - began < _FRESH
            with converted(what, fresh=young, scrub=self.scrub):
                client = self._client(service, region)
                answer: Json = getattr(client, _method(client, operation))(**parameters)
            if needs is not None and needs not in answer:
                raise TransientError("the answer was cut off")
            return answer

        return self.repeated(what, call, expected)

    def write(
        self,
        service: str,
        region: str,
        operation: str,
        *,
        instead: Mapping[str, Any] | None = None,
        fresh: bool = False,
        expected: Sequence[str] = (),
        needs: str | None = None,
        **parameters: Any,  # noqa: ANN401
    ) -> Json:
        """The answer to a call that changes something, or `instead` of it in a dry run."""
        call = Call(place=region, operation=f"{service}:{operation}", parameters=parameters)
        return self.means.calls.make(
            call,
            lambda: self.read(
                service, region, operation, fresh=fresh, expected=expected, needs=needs, **parameters
            ),
            dict(instead or {}),
        )

    def every(
        self,
        service: str,
        region: str,
        operation: str,
        key: str,
        **parameters: Any,  # noqa: ANN401
    ) -> Iterator[Json]:
        """All items under `key` of a paged answer."""
        pages = self._pages(service, region, operation, parameters)
        for answer in few_pages(pages, f"{service}:{operation} in {region}"):
            yield from answer.get(key, ())

    def _pages(
        self, service: str, region: str, operation: str, parameters: Mapping[str, Any]
    ) -> Iterator[Json]:
        following: dict[str, Any] = {}
        while True:
            answer = self.read(service, region, operation, **parameters, **following)
            yield answer
            if not answer.get("NextToken"):
                return
            following = {"NextToken": answer["NextToken"]}

    def _client(self, service: str, region: str) -> Any:  # noqa: ANN401 - boto3 makes its classes when it runs
        from botocore.config import Config

        # A session may not make two clients at a time.
        with self._making:
            if (service, region) not in self._clients:
                config = Config(
                    retries={"total_max_attempts": 1, "mode": "standard"},
                    connect_timeout=_TIMEOUT,
                    read_timeout=_TIMEOUT,
                    max_pool_connections=max(self.means.workers, 10),
                    user_agent_extra="bootimg",
                )
                client = self._session.client(service, region, config=config)
                bound_botocore(client)
                self._clients[service, region] = client
            return self._clients[service, region]


def _method(client: Any, operation: str) -> str:  # noqa: ANN401
    from botocore import xform_name

    return str(xform_name(operation))
